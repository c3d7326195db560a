import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { FileSystem } from "../../lib/core/files.ts";
import { publisherOptions, pullTo, REPO, sourceOptions, uploadFrom } from "../helpers/hub_machines.ts";
import { noise, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { HubBench } from "./hub_bench.ts";

const BIG = noise(900_001, 7);

/** The real file system, which counts the bytes that are read from each file. */
function readCountingFs(counts: Map<string, number>): FileSystem {
  const counting = (path: string | URL, file: Deno.FsFile): Deno.FsFile => {
    const add = (count: number | null) => {
      counts.set(String(path), (counts.get(String(path)) ?? 0) + (count ?? 0));
      return count;
    };
    const [read, readSync] = [file.read.bind(file), file.readSync.bind(file)];
    file.read = async (buffer) => add(await read(buffer));
    file.readSync = (buffer) => add(readSync(buffer));
    return file;
  };
  return {
    ...Deno,
    open: async (path, options) => counting(path, await Deno.open(path, options)),
    openSync: (path, options) => counting(path, Deno.openSync(path, options)),
  };
}

Deno.test("an upload reads each file once for its digests and once to send it, whole, in parts or in the commit", async () => {
  await using bench = new HubBench();
  const files = {
    "whole.bin": noise(1_000_000, 1),
    "parts.bin": noise(3_000_001, 2),
    "inline.json": JSON.stringify(["x".repeat(10_000)]),
  };
  writeFiles(bench.trainer, files);
  bench.server.partBytes = 2_000_000;
  const counts = new Map<string, number>();
  const context = { ...bench.context, fs: readCountingFs(counts) };
  await uploadFrom(context, bench.trainer, publisherOptions(bench.server));
  for (const [path, content] of Object.entries(files)) {
    const reads = (counts.get(join(bench.trainer, path)) ?? 0) / content.length;
    // The beginning tells the hub whether a file is text, and this program whether it is a small one.
    assert.ok(reads >= 2 && reads < 2.5, `${path}: ${reads}`);
  }
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot), readFiles(bench.trainer));
});

Deno.test("a content that the hub has under another name is not sent", async () => {
  await using bench = new HubBench();
  writeFiles(bench.trainer, { "a/model.bin": BIG, "notes.txt": "n" });
  const upload = async () => await uploadFrom(bench.context, bench.trainer, publisherOptions(bench.server));
  assert.equal((await upload()).writtenBytes, BIG.length + 1);
  Deno.renameSync(join(bench.trainer, "a/model.bin"), join(bench.trainer, "a/renamed.bin"));
  // The hub would keep a text of this name in git.
  writeFiles(bench.trainer, { "copy.txt": BIG });
  bench.asked();
  const { outcome, changed, writtenBytes } = await upload();
  assert.deepEqual([outcome, changed, writtenBytes], ["published", 3, 0]);
  const asked = bench.asked();
  assert.deepEqual(asked.filter((line) => /^PUT|objects\/batch/.test(line)), []);
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot), readFiles(bench.trainer));
});

Deno.test("a content that an earlier commit brought to the hub is not sent either", async () => {
  await using bench = new HubBench();
  writeFiles(bench.trainer, { "model.bin": BIG });
  bench.server.commit(REPO, { "other.txt": "t" });
  bench.server.commit(REPO, { "other.bin": BIG });
  bench.server.commit(REPO, { "other.bin": undefined });
  const report = await uploadFrom(bench.context, bench.trainer, publisherOptions(bench.server));
  assert.equal(report.writtenBytes, 0);
  assert.ok(bench.asked().every((line) => !line.startsWith("PUT")));
});

Deno.test("a model that is written while its parts are sent is not committed", async () => {
  await using bench = new HubBench();
  writeFiles(bench.trainer, { "model.bin": BIG });
  bench.server.createRepo(REPO);
  bench.server.partBytes = 200_000;
  bench.server.fail(/^PUT/, {
    kind: "first",
    act: () => {
      writeFiles(bench.trainer, { "model.bin": noise(900_001, 8) });
      Deno.utimeSync(join(bench.trainer, "model.bin"), new Date(), new Date("2026-01-01T00:00:00Z"));
    },
  });
  const upload = () => uploadFrom(bench.context, bench.trainer, publisherOptions(bench.server));
  await assert.rejects(upload(), { code: "MODELS_CHANGING", exitCode: 1 });
  assert.deepEqual(bench.server.files(REPO), {});
  assert.ok(bench.asked().every((line) => !line.includes("/complete/")));
  await upload();
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot), readFiles(bench.trainer));
});

Deno.test("a hub whose addresses for the parts do not fit the file is not used", async () => {
  await using bench = new HubBench();
  writeFiles(bench.trainer, { "model.bin": BIG });
  bench.server.createRepo(REPO);
  const oid = createHash("sha256").update(BIG).digest("hex");
  const url = bench.server.storage.origin;
  const headers = [
    { chunk_size: "0" },
    { chunk_size: "500000", "00001": url },
    { chunk_size: "500000.5", "00001": url, "00002": url },
    { chunk_size: "500000", "00001": url, "00003": url },
    { chunk_size: "500000", "00001": url, "00002": "not an address" },
    { chunk_size: "500000", "00001": url, "00002": "file:///etc/passwd" },
  ];
  for (const header of headers) {
    bench.server.fail(/objects\/batch/, {
      kind: "answer",
      make: () => {
        const actions = { upload: { href: bench.server.endpoint, header } };
        return Response.json({ objects: [{ oid, size: BIG.length, actions }] });
      },
    });
    await assert.rejects(
      uploadFrom(bench.context, bench.trainer, publisherOptions(bench.server)),
      { code: "ANSWER_INVALID" },
    );
  }
});

Deno.test("an upload follows redirects within an origin, and sends no content to another one", async () => {
  await using bench = new HubBench();
  writeFiles(bench.trainer, { "model.bin": BIG });
  bench.server.createRepo(REPO);
  const upload = () => uploadFrom(bench.context, bench.trainer, publisherOptions(bench.server));
  const received: string[] = [];
  await using other = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    received.push(await request.text());
    return new Response();
  });
  const elsewhere = `http://127.0.0.1:${other.addr.port}/`;
  const redirect = (location: string) => new Response(null, { status: 307, headers: { location } });
  bench.server.fail(/^PUT/, { kind: "answer", make: () => redirect(elsewhere) });
  await assert.rejects(upload(), { code: "REDIRECT_REFUSED", exitCode: 5 });
  assert.deepEqual([received, bench.server.files(REPO)], [[], {}]);
  // The hub answers so for a repository that was renamed.
  bench.server.fail(/objects\/batch/, {
    kind: "answer",
    make: () => redirect(`/${REPO}.git/info/lfs/objects/batch?renamed`),
  });
  await upload();
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot), readFiles(bench.trainer));
});
