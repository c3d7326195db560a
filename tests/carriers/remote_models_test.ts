import assert from "node:assert/strict";
import { join } from "node:path";
import { Chunks } from "../../lib/core/chunk_list.ts";
import type { Context } from "../../lib/core/context.ts";
import { InterruptedError } from "../../lib/core/errors.ts";
import { FileHasher } from "../../lib/core/hash.ts";
import type { Fault } from "../../fakes/file_server.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { joined } from "../helpers/raw_zip.ts";
import { RunPodWorld } from "../helpers/runpod_world.ts";
import { noise, readFiles, type TempDir, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const MIB = 1024 * 1024;

/** Does not compress, so it is stored. */
const LARGE = noise(17 * MIB, 1);

/** Compresses to a hundredth. */
const TABLE = "0.25,0.5,0.75\n".repeat(200_000);

type Models = Readonly<Record<string, string | Uint8Array>>;

/** A machine that has pulled an archive with a large file, and pulls further ones. */
class Bench implements AsyncDisposable {
  readonly #dir: TempDir = tempDir();
  readonly world = new RunPodWorld(join(this.#dir.path, "runpod"));
  readonly modelsDir = join(this.#dir.path, "bot/models");
  context = testContext();
  #sequence = 0;

  static async with(models: Models): Promise<Bench> {
    const bench = new Bench();
    await bench.offer(models);
    await bench.pull();
    return bench;
  }

  /** Lets the next job pack these models. */
  async offer(models: Models): Promise<void> {
    await this.world.offer(models, ++this.#sequence);
  }

  /** Pulls, and returns the bytes that the archive's server sent. */
  async pull(replaced: Partial<Context> = {}): Promise<number> {
    const { files } = this.world;
    files.sentBytes = 0;
    files.requests.length = 0;
    this.context = testContext({ clock: new QuickClock("2026-11-21T03:00:00Z", 9_000), ...replaced });
    await this.world.pullTo(this.modelsDir, this.context);
    return files.sentBytes;
  }

  /** Asserts that the machine has these models. */
  has(models: Models): void {
    const names = Object.keys(readFiles(this.modelsDir)).sort();
    assert.deepEqual(names, Object.keys(models).sort());
    for (const [name, content] of Object.entries(models)) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      assert.ok(Buffer.compare(bytes, Deno.readFileSync(join(this.modelsDir, name))) === 0, name);
    }
  }

  get archiveBytes(): number {
    return this.world.files.content.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}

Deno.test("of an archive with one changed file, only the headers, the manifest and that file are downloaded", async () => {
  const models = { "a.onnx": LARGE, "b.json": "{}", "c/table.csv": TABLE };
  await using bench = await Bench.with(models);
  const changed = { ...models, "b.json": '{"changed":true}', "c/table.csv": `x${TABLE}` };
  await bench.offer(changed);
  const sent = await bench.pull();
  bench.has(changed);
  assert.ok(sent < MIB, `${sent} bytes were sent`);
  assert.ok(bench.world.files.requests.length <= 6, `${bench.world.files.requests.length} requests`);
  assert.match(
    bench.context.log.lines.join("\n"),
    /info downloaded [\d.]+ KiB of the 17\.\d MiB of the archive/,
  );
  assert.deepEqual([...Deno.readDirSync(join(bench.modelsDir, "../.model-sync/partials"))], []);
});

Deno.test("of a large file that changed in place and grew at its beginning, only the changed parts are downloaded", async () => {
  await using bench = await Bench.with({ "a.onnx": LARGE });
  const inPlace = LARGE.slice();
  inPlace.set(noise(100_000, 4), 9 * MIB);
  await bench.offer({ "a.onnx": inPlace });
  const sent = await bench.pull();
  bench.has({ "a.onnx": inPlace });
  assert.ok(sent < 3 * MIB, `${sent} bytes were sent`);
  const grown = joined([noise(MIB, 5), inPlace]);
  await bench.offer({ "a.onnx": grown, "b.json": "{}" });
  const sentAgain = await bench.pull();
  bench.has({ "a.onnx": grown, "b.json": "{}" });
  assert.ok(sentAgain < 4 * MIB, `${sentAgain} bytes were sent`);
  // Without another request for the archive's address.
  assert.equal(bench.world.api.requests.filter(({ operation }) => operation === "status").length, 6);
});

Deno.test("a pull that is stopped while it downloads a large file of an archive is continued by the next one", async () => {
  await using bench = await Bench.with({ "a.onnx": LARGE });
  const models = { "a.onnx": noise(17 * MIB, 6) };
  await bench.offer(models);
  const stop = new AbortController();
  const { files } = bench.world;
  // The third request is that for the file.
  files.faults.push(undefined, undefined, {
    kind: "answer",
    make: () => halfOf(files.content, 14 * MIB, () => stop.abort(stopped())),
  });
  await assert.rejects(bench.pull({ signal: stop.signal }), { code: "INTERRUPTED" });
  const sent = await bench.pull();
  bench.has(models);
  // Most of what the server had sent may still have been on its way.
  assert.ok(sent < 16.5 * MIB, `${sent} bytes were sent`);
  assert.ok(bench.context.log.lines.some((line) => /^info continuing a\.onnx of the archive/.test(line)));
});

Deno.test("after connections that break again and again, the next pull continues a large file of an archive", async () => {
  await using bench = await Bench.with({ "a.onnx": LARGE });
  const models = { "a.onnx": noise(17 * MIB, 8) };
  await bench.offer(models);
  const breaks = [8 * MIB, 0, 0, 0, 0, 0].map((afterBytes): Fault => ({ kind: "reset", afterBytes }));
  bench.world.files.faults.push(undefined, undefined, ...breaks);
  await assert.rejects(bench.pull(), { exitCode: 4 });
  bench.has({ "a.onnx": LARGE });
  const sent = await bench.pull();
  bench.has(models);
  assert.ok(sent < 10 * MIB, `${sent} bytes were sent`);
});

Deno.test("after a pull that took too long, the next one continues a large file of an archive", async () => {
  await using bench = await Bench.with({ "a.onnx": LARGE });
  const models = { "a.onnx": noise(17 * MIB, 9) };
  await bench.offer(models);
  const { files } = bench.world;
  const clock = new QuickClock("2026-11-21T03:00:00Z", 9_000);
  files.faults.push(undefined, undefined, {
    kind: "answer",
    make: () => halfOf(files.content, 14 * MIB, () => clock.advance(24 * 3_600_000)),
  });
  await assert.rejects(bench.pull({ clock }), { code: "TIMEOUT" });
  assert.equal(files.requests.length, 3);
  const sent = await bench.pull();
  bench.has(models);
  assert.ok(sent < 15 * MIB, `${sent} bytes were sent`);
});

function stopped(): InterruptedError {
  return new InterruptedError("stopped", { code: "INTERRUPTED" });
}

/** Answers with the beginning of the file in an archive, and then calls `onEnd` instead of going on. */
function halfOf(archive: Uint8Array<ArrayBuffer>, bytes: number, onEnd: () => void): Response {
  const start = "models/a.onnx".length + 30;
  let at = start;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (at - start >= bytes) return onEnd();
      controller.enqueue(archive.slice(at, at += 64 * 1024));
    },
  }, { highWaterMark: 0 });
  const headers = { "content-range": `bytes ${start}-${start + LARGE.length - 1}/${archive.length}` };
  return new Response(body, { status: 206, headers });
}

Deno.test("an archive of which most has to be extracted, a small one and the first one are downloaded as a whole", async () => {
  await using bench = await Bench.with({ "a.onnx": LARGE });
  assert.equal(bench.world.files.requests.length, 1);
  const models = Object.fromEntries([10, 11, 12].map((seed) => [`${seed}.bin`, noise(6 * MIB, seed)]));
  await bench.offer(models);
  const sent = await bench.pull();
  bench.has(models);
  assert.ok(sent >= bench.archiveBytes && sent < bench.archiveBytes + MIB);
  await bench.offer({ "a.onnx": "small" });
  await bench.pull();
  bench.has({ "a.onnx": "small" });
});

Deno.test("an archive of many small files is downloaded once", async () => {
  const small = (seed: number): Models =>
    Object.fromEntries(
      Array.from({ length: 85 }, (_, index) => [`${index}.bin`, noise(200_000, seed + index)]),
    );
  await using bench = await Bench.with(small(100));
  const models = small(300);
  await bench.offer(models);
  const sent = await bench.pull();
  bench.has(models);
  assert.ok(sent < bench.archiveBytes + MIB, `${sent} bytes of ${bench.archiveBytes}`);
});

Deno.test("parts of an archive are not fetched if the disk has no space for them, and are removed before the whole archive", async () => {
  const models = { "a.onnx": LARGE, "b.bin": noise(MIB, 1) };
  await using bench = await Bench.with(models);
  await bench.offer({ ...models, "b.bin": noise(MIB, 2) });
  const partials = join(bench.modelsDir, "../.model-sync/partials");
  const freeBytes = (folder: string) => Promise.resolve(folder.endsWith("partials") ? 0 : undefined);
  await assert.rejects(bench.pull({ freeBytes }), { code: "DISK" });
  assert.equal(bench.world.files.requests.length, 1);

  const others = { "c.bin": noise(9 * MIB, 3), "d.bin": noise(9 * MIB, 4) };
  await bench.offer(others);
  const scratch: number[] = [];
  const countScratch = (folder: string) => {
    if (folder.endsWith("partials")) scratch.push([...Deno.readDirSync(partials)].length);
    return Promise.resolve(undefined);
  };
  await bench.pull({ freeBytes: countScratch });
  bench.has(others);
  // One file each time: the parts twice, and then the whole archive.
  assert.deepEqual(scratch, [1, 1, 1]);
});

Deno.test("an archive is downloaded as a whole if its server serves no ranges or promises no version of it", async () => {
  const models = { "a.onnx": LARGE, "b.json": "1" };
  for (
    const change of [
      { hasRanges: false },
      { etag: undefined },
      { etag: 'W/"weak"' },
    ]
  ) {
    await using bench = await Bench.with({ "a.onnx": LARGE });
    await bench.offer(models);
    Object.assign(bench.world.files, change);
    const sent = await bench.pull();
    bench.has(models);
    assert.ok(sent >= bench.archiveBytes, JSON.stringify(change));
    assert.match(bench.context.log.lines.join("\n"), /debug .*; downloading the whole archive/);
  }
});

/** Answers a request for a range with these bytes instead of the archive's. */
function answerFrom(bytes: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Fault {
  return {
    kind: "answer",
    make: (request) => {
      const [, from = "", to = ""] = /bytes=(\d+)-(\d+)/.exec(request.headers.get("range") ?? "") ?? [];
      return new Response(bytes.slice(Number(from), Number(to) + 1), {
        status: 206,
        headers: { "content-range": `bytes ${from}-${to}/${bytes.length}`, etag: '"same"', ...headers },
      });
    },
  };
}

Deno.test("a server that lies or changes the archive between two requests costs a whole download, and no wrong byte", async () => {
  await using bench = await Bench.with({ "a.onnx": LARGE });
  const { files } = bench.world;
  const good = undefined;
  const lies: readonly ((content: Uint8Array<ArrayBuffer>) => readonly (Fault | undefined)[])[] = [
    (content) => [good, answerFrom(content, { etag: '"other"' })],
    // Other contents of the changed file.
    (content) => [good, good, good, answerFrom(withWrongByte(content, 17 * MIB + 500_000))],
  ];
  for (const [round, lie] of lies.entries()) {
    const models = { "a.onnx": LARGE, "b.json": String(round), "c.bin": noise(MIB, round) };
    await bench.offer(models);
    files.etag = '"same"';
    files.faults.push(...lie(files.content));
    const sent = await bench.pull();
    bench.has(models);
    assert.ok(sent >= bench.archiveBytes, `round ${round}: ${sent} bytes`);
    assert.deepEqual(files.faults, []);
  }
});

function withWrongByte(bytes: Uint8Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
  const changed = bytes.slice();
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}

Deno.test("a file that another program replaced in an archive is found, although the manifest names the one in the store", async () => {
  const models = { "a.onnx": LARGE, "b.bin": noise(MIB, 1) };
  await using bench = await Bench.with(models);
  await bench.offer({ ...models, "c.json": "1" });
  await bench.world.tamper("b.bin", noise(MIB, 2));
  await assert.rejects(bench.pull(), { code: "DIGEST_MISMATCH", message: /b\.bin/ });
  bench.has(models);
});

Deno.test("a large file that another program replaced in an archive is found, although the store holds every part of the one in the manifest", async () => {
  const other = noise(16 * MIB, 7);
  const models = { "a.onnx": LARGE, "b.onnx": other };
  await using bench = await Bench.with(models);
  const hasher = await FileHasher.createForManifest(LARGE.length);
  hasher.update(LARGE);
  const chunks = Chunks.read(hasher.digest().contentChunks ?? "", LARGE.length);
  // Two chunks of one file and all of another one.
  const both = joined([LARGE.subarray(0, chunks?.end(1)), other]);
  await bench.offer({ ...models, "c.onnx": both });
  const { files } = bench.world;
  const [content, etag] = [files.content, files.etag];
  await bench.world.tamper("c.onnx", withWrongByte(both, 5 * MIB));
  await assert.rejects(bench.pull(), { code: "DIGEST_MISMATCH", message: /c\.onnx/ });
  bench.has(models);
  Object.assign(files, { content, etag });
  assert.ok(await bench.pull() < MIB);
  bench.has({ ...models, "c.onnx": both });
});

Deno.test("an unsafe archive is refused with the same error, whether parts of it are read or all", async () => {
  await using bench = await Bench.with({ "a.onnx": LARGE });
  await bench.offer({ "a.onnx": LARGE, "b.json": "1" });
  const { files } = bench.world;
  const archive = files.content;
  const end = archive.length - 22;
  const unsafe: readonly [string, Uint8Array<ArrayBuffer>][] = [
    ["ARCHIVE_UNSAFE", new Uint8Array(await new Blob([archive, "0"]).arrayBuffer())],
    ["ARCHIVE_DAMAGED", archive.slice(0, -1)],
    // More entries than the directory has, a longer directory, and a local header that disagrees.
    ["ARCHIVE_UNSAFE", withWrongByte(archive, end + 10)],
    ["ARCHIVE_DAMAGED", withWrongByte(archive, end + 14)],
    ["ARCHIVE_UNSAFE", withWrongByte(archive, 30)],
  ];
  for (const [code, content] of unsafe) {
    files.content = content;
    files.etag = `"${crypto.randomUUID()}"`;
    await assert.rejects(bench.pull(), { code }, code);
  }
  bench.has({ "a.onnx": LARGE });
});
