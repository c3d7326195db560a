import assert from "node:assert/strict";
import { join } from "node:path";
import { findEntry } from "../../lib/core/files.ts";
import { pruneReleases } from "../../lib/pipeline/prune.ts";
import { openStore } from "../../lib/store/store.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { pullTo, REPO, sourceOptions } from "../helpers/hub_machines.ts";
import { noise, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { assertPause } from "../helpers/assert_pause.ts";
import { HubBench } from "./hub_bench.ts";

/** The requests for files that are in flight at once. */
const AT_ONCE = 48;

/** Files that the hub sends itself, and files to which it redirects. */
function manyFiles(count: number): Record<string, string> {
  const path = (index: number) => `part${index % 3}/file${index}.${index % 2 === 0 ? "txt" : "onnx.bin"}`;
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [path(index), `content ${index}`]));
}

Deno.test("small files are requested 48 at once, and each is written once, under its name", async () => {
  await using bench = new HubBench();
  const files = manyFiles(2 * AT_ONCE);
  bench.server.commit(REPO, files);
  let waiting = 0;
  const full = Promise.withResolvers<void>();
  const wait = async () => {
    if (++waiting === AT_ONCE) setTimeout(full.resolve);
    await full.promise;
  };
  bench.server.fail(/\/resolve\//, ...Array(2 * AT_ONCE).fill({ kind: "first", act: wait }));
  const steps: string[] = [];
  const context = { ...bench.context, fs: countingFs((step) => steps.push(step)) };
  const pulling = pullTo(context, bench.bot, sourceOptions(bench.server));
  await full.promise;
  assert.equal(waiting, AT_ONCE);
  await pulling;
  assert.deepEqual(readFiles(bench.bot), Object.fromEntries(Object.entries(files).sort()));
  const partials = join(bench.path, "bot/.model-sync/partials/");
  assert.deepEqual(steps.filter((step) => step.includes(partials)), []);
  for (const path of Object.keys(files)) {
    const written = steps.filter((step) =>
      /^(open|rename|write|writeSync) /.test(step) && step.endsWith(path)
    );
    assert.deepEqual(written.map((step) => step.split(" ")[0]), ["open", "writeSync"], path);
  }
});

Deno.test("a hub that turns requests away is left alone for the pause that it requests, then gets half as many at once", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, manyFiles(200));
  let [inFlight, most] = [0, 0];
  const busy = () => {
    const isTooMany = inFlight > 20;
    return isTooMany ? new Response("busy", { status: 429, headers: { "retry-after": "4" } }) : undefined;
  };
  const http = async (input: string | URL | Request, init?: RequestInit) => {
    if (!String(input).includes("/resolve/")) return await fetch(input, init);
    inFlight++;
    try {
      const refusal = busy();
      if (refusal === undefined) most = Math.max(most, inFlight);
      await new Promise((resolve) => setTimeout(resolve));
      return refusal ?? await fetch(input, init);
    } finally {
      inFlight--;
    }
  };
  const report = await pullTo({ ...bench.context, http }, bench.bot, sourceOptions(bench.server));
  assert.equal(report.files, 200);
  assert.equal(most, 20);
  // From 48 at once to 24 and 12.
  assert.equal(bench.clock.pausesMs.length, 2);
  for (const pausedMs of bench.clock.pausesMs) assertPause(pausedMs, 4_000);
});

const SMALL = { "in_lfs.bin": "content of the storage", "in_git.json": '{"of": "the hub"}' };

Deno.test("a small file that one answer damaged is requested once more", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, SMALL);
  const longer = { kind: "answer", make: () => new Response("more than the expected bytes") } as const;
  bench.server.fail(/^GET \/[0-9a-f]{64}$/, { kind: "corrupt" });
  bench.server.fail(/in_git\.json$/, longer);
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot), SMALL);
  bench.server.commit(REPO, { "in_lfs.bin": "new content", "in_git.json": '{"of": "git"}' });
  bench.server.fail(/^GET \/[0-9a-f]{64}$/, longer);
  bench.server.fail(/in_git\.json$/, { kind: "corrupt" });
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot), { "in_lfs.bin": "new content", "in_git.json": '{"of": "git"}' });
});

Deno.test("a file that a second answer damages, too, is refused, without a third request", async () => {
  await using bench = new HubBench();
  const files = { ...SMALL, "over_memory.json": "x".repeat(600_000) };
  for (const name of ["in_git.json", "over_memory.json"]) {
    bench.server.commit(REPO, files);
    bench.server.fail(new RegExp(name), { kind: "corrupt" }, { kind: "corrupt" });
    await assert.rejects(pullTo(bench.context, bench.bot, sourceOptions(bench.server)), {
      code: "DIGEST_MISMATCH",
      exitCode: 5,
    });
    assert.equal(bench.asked().filter((line) => line.endsWith(name)).length, 2);
  }
});

Deno.test("a small file that the hub cannot send ends the pull, and the other downloads with it", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, { ...manyFiles(100), "large.bin": noise(1024 * 1024, 1) });
  const fault = { kind: "answer", make: () => new Response("oops", { status: 500 }) } as const;
  bench.server.fail(/file7\.onnx/, ...Array(6).fill(fault));
  const hangs = Promise.withResolvers<void>();
  bench.server.fail(/^GET \/[0-9a-f]{64}$/, { kind: "cut", afterBytes: 1, hang: () => hangs.promise });
  await assert.rejects(pullTo(bench.context, bench.bot, sourceOptions(bench.server)), { code: "HTTP_500" });
  hangs.resolve();
  assert.equal(bench.server.requests.filter(({ path }) => path.endsWith("file7.onnx.bin")).length, 6);
});

Deno.test("a pull requests no file again that an earlier one had received before it failed, unless its bytes changed since", async () => {
  await using bench = new HubBench();
  const large = { "large.bin": noise(1024 * 1024, 1) };
  bench.server.commit(REPO, { ...manyFiles(20), ...large });
  const unfinished = join(bench.path, "bot/.model-sync/partials/unfinished");
  const contents = () =>
    bench.asked().flatMap((line) => line.match(/\/resolve\/[^/]*\/(.*)/)?.[1] ?? []).sort();
  const broken = { kind: "answer", make: () => new Response("oops", { status: 500 }) } as const;
  const pull = (context = bench.context) => pullTo(context, bench.bot, sourceOptions(bench.server));
  const fail = async () => {
    bench.server.fail(/file7\./, ...Array(6).fill(broken));
    await assert.rejects(pull(), { code: "HTTP_500" });
    contents();
  };
  await fail();
  await fail();
  const kept = Object.keys(readFiles(unfinished));
  assert.ok(kept.length > 1 && !kept.some((path) => path.includes("file7.")), String(kept));
  const [damaged = ""] = kept;
  Deno.chmodSync(join(unfinished, damaged), 0o600);
  Deno.writeTextFileSync(join(unfinished, damaged), "other bytes");
  const report = await pull();
  const others = Object.keys(manyFiles(20)).filter((path) => !kept.includes(path));
  // The download of the large one may have been interrupted, and is then continued.
  const asked = contents().filter((path) => path !== "large.bin" || kept.includes(path));
  assert.deepEqual([report.files, asked], [21, [...others, damaged].sort()]);
  const { "large.bin": _large, ...small } = readFiles(bench.bot);
  assert.deepEqual(small, manyFiles(20));
  assert.equal(findEntry(Deno, unfinished), undefined);
});

Deno.test("a pull that fails for lack of space keeps no files of an earlier one, and neither does a prune", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, manyFiles(9));
  const unfinished = join(bench.path, "bot/.model-sync/partials/unfinished");
  const broken = { kind: "answer", make: () => new Response("oops", { status: 500 }) } as const;
  const fail = async (code: string, free?: number) => {
    bench.server.fail(/file7\./, ...Array(6).fill(broken));
    const context = { ...bench.context, freeBytes: () => Promise.resolve(free) };
    await assert.rejects(pullTo(context, bench.bot, sourceOptions(bench.server)), { code });
    return findEntry(Deno, unfinished) !== undefined;
  };
  assert.equal(await fail("HTTP_500"), true);
  assert.equal(await fail("DISK", 1), false);
  assert.equal(await fail("HTTP_500"), true);
  const store = openStore(Deno, { modelsDir: bench.bot });
  await pruneReleases(bench.context, store, { kept: [], removed: [] });
  assert.equal(findEntry(Deno, unfinished), undefined);
});

Deno.test("a pull requests no file again that a killed one had received, and takes nothing but files from what it left", async () => {
  await using bench = new HubBench();
  const files = {
    "a/of_git.json": '{"name": "SHA-1"}',
    "a/torn.bin": "torn",
    "a/torn_of_git.json": '{"as": "long"}',
    "a/whole.bin": "whole",
    "b/linked.bin": "linked",
    "c/installed.bin": "installed",
    "c/one.bin": "twice",
    "c/two.bin": "twice",
  };
  bench.server.commit(REPO, files);
  const store = openStore(Deno, { modelsDir: bench.bot });
  const left = join(store.staging, "killed/files");
  const other = { "installed.bin": "installed", "linked.bin": "linked" };
  writeFiles(join(bench.path, "other"), other);
  const whole = { "a/whole.bin": "whole", "a/of_git.json": '{"name": "SHA-1"}', "c/one.bin": "twice" };
  writeFiles(left, { ...whole, "a/torn.bin": "to", "a/torn_of_git.json": '{"as": "shor' });
  Deno.truncateSync(join(left, "a/torn_of_git.json"), files["a/torn_of_git.json"].length);
  Deno.linkSync(join(left, "c/one.bin"), join(left, "c/two.bin"));
  // As those of installed releases: it has a link that is not the killed pull's.
  Deno.linkSync(join(bench.path, "other/installed.bin"), join(left, "c/installed.bin"));
  Deno.symlinkSync(join(bench.path, "other"), join(left, "b"));
  // Names that are not UTF-8 are listed, but cannot be opened.
  const name = "$(printf 'stray\\377')";
  const made = new Deno.Command("sh", {
    args: ["-c", `mkdir "$1/${name}" && touch "$1/a/${name}"`, "sh", left],
  });
  assert.ok(made.outputSync().success);
  Deno.symlinkSync(join(bench.path, "other"), join(store.partials, "unfinished"));
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot), files);
  assert.deepEqual(readFiles(join(bench.path, "other")), other);
  const asked = bench.asked().flatMap((line) => line.match(/\/resolve\/[^/]*\/(.*)/)?.[1] ?? []);
  assert.deepEqual(asked.sort(), ["a/torn.bin", "a/torn_of_git.json", "b/linked.bin", "c/installed.bin"]);
});
