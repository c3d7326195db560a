import assert from "node:assert/strict";
import { systemClock } from "../../lib/core/clock.ts";
import { DiskError } from "../../lib/core/errors.ts";
import { FolderIndex } from "../../lib/git/folder_index.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { publish } from "../../lib/pipeline/publish.ts";
import type { Publication, Publisher } from "../../lib/carriers/carrier.ts";
import { type FolderMemory, type ModelSet, NO_FOLDER_MEMORY } from "../../lib/release/model_set.ts";
import type { FolderChanges } from "../../lib/release/rescan_folder.ts";
import { readHistory } from "../../lib/store/history.ts";
import { findPublishedFiles } from "../../lib/store/published_files.ts";
import { fillModels } from "../contract/carrier_contract.ts";
import { type Machine, machine, storeOf } from "../helpers/machines.ts";
import { memoryDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

/** A publisher that keeps the models it gets. It has published the `known` releases before. */
function memoryPublisher(known: readonly string[], optional: Partial<Publication> = {}) {
  const published: ModelSet[] = [];
  const result = (outcome: Publication["outcome"]): Publication => ({
    outcome,
    sequence: 7,
    changed: 1,
    sentBytes: 5,
    previous: undefined,
    signer: undefined,
    commit: undefined,
    ...optional,
  });
  const publisher: Publisher<Publication> = {
    carrier: "git",
    findPublished: (digest) => known.includes(digest) ? result("unchanged") : undefined,
    publish: (set) => {
      published.push(set);
      return Promise.resolve(result(known.includes(set.digest) ? "unchanged" : "published"));
    },
    [Symbol.dispose]: () => {},
  };
  return { publisher, published };
}

/** Publishes a machine's models in memory. @returns the report without what differs between runs, and the files that were read */
async function publishIn(
  from: Machine,
  { publisher }: ReturnType<typeof memoryPublisher>,
  { memory = NO_FOLDER_MEMORY }: { readonly memory?: FolderMemory } = {},
) {
  const read: string[] = [];
  const openSync: typeof Deno.openSync = (path, options) => {
    if (String(path).startsWith(from.modelsDir)) read.push(String(path).slice(from.modelsDir.length + 1));
    return Deno.openSync(path, options);
  };
  // A file that was written a moment ago may change again without a sign, so its digest is not remembered.
  const clock = { ...systemClock, now: () => new Date(Date.now() + 60_000) };
  const context = testContext({ fs: { ...Deno, openSync }, clock });
  const store = storeOf(context, from);
  const { runId: _id, durationMs: _ms, ...report } = await recordedRun(
    context,
    store,
    { command: "publish", lock: "store", sinks: [] },
    (run) =>
      publish(context, store, run, {
        memory,
        open: () => Promise.resolve(publisher),
      }),
  );
  return { read, report, kept: findPublishedFiles(store, report.release), record: readHistory(store, 1)[0] };
}

Deno.test("a publish reports and records what its publisher answers, and nothing that it leaves out", async () => {
  const previous = `sha256:${"a".repeat(64)}` as const;
  for (
    const [answer, expected] of [
      [{}, {}],
      [{ previous, signer: "0123", commit: "abc" }, { previous, signer: "0123", revision: "abc" }],
    ] as const
  ) {
    using dir = memoryDir();
    const trainer = machine(dir.path, "trainer", "unused");
    writeFiles(trainer.modelsDir, { "a.onnx": "one", "b.json": "{}" });
    const { report: { publication, ...report }, record } = await publishIn(
      trainer,
      memoryPublisher([], answer),
    );
    assert.deepEqual(report, {
      outcome: "published",
      carrier: "git",
      release: report.release,
      ...expected,
      sequence: 7,
      files: 2,
      bytes: 5,
      changed: 1,
      writtenBytes: 5,
    });
    assert.equal(publication.outcome, "published");
    assert.partialDeepStrictEqual(record, report);
  }
});

Deno.test("a publish keeps the list of the files that it published, and an unchanged one leaves it alone", async () => {
  using dir = memoryDir();
  const trainer = machine(dir.path, "trainer", "unused");
  const listed = async (known: readonly string[]) => {
    const { kept, report } = await publishIn(trainer, memoryPublisher(known));
    return { paths: kept?.files.map(({ path }) => path), release: report.release };
  };
  writeFiles(trainer.modelsDir, { "a.onnx": "one" });
  const first = await listed([]);
  assert.deepEqual(first.paths, ["a.onnx"]);
  assert.deepEqual(await listed([first.release]), first);
  fillModels(trainer.modelsDir, { "c.json": "{}" });
  assert.deepEqual((await listed([])).paths, ["c.json"]);
});

/** A trainer whose folder is remembered, and has a new file since. */
async function changedTrainer(root: string) {
  const trainer = machine(root, "trainer", "unused");
  writeFiles(trainer.modelsDir, { "a.onnx": "one", "b.onnx": "two" });
  const index = new FolderIndex(testContext(), root);
  await publishIn(trainer, memoryPublisher([]), { memory: index });
  writeFiles(trainer.modelsDir, { "c.onnx": "three" });
  return { trainer, index };
}

Deno.test("a publish of few changes succeeds although the disk has no room for the memory of the folder", async () => {
  using dir = memoryDir();
  const { trainer, index } = await changedTrainer(dir.path);
  const full = new DiskError("Cannot write: the disk is full", { code: "DISK_FULL" });
  const memory: FolderMemory = {
    ...NO_FOLDER_MEMORY,
    findChanges: (folder) => index.findChanges(folder),
    remember: () => Promise.reject(full),
  };
  const target = memoryPublisher([]);
  const { report } = await publishIn(trainer, target, { memory });
  assert.partialDeepStrictEqual(report, { outcome: "published", files: 3 });
  assert.deepEqual(target.published.map(({ files }) => files.map(({ path }) => path)), [[
    "a.onnx",
    "b.onnx",
    "c.onnx",
  ]]);
});

Deno.test("a publish completes the memory of the folder while the target works, and else after it", async () => {
  for (const says of [true, false]) {
    using dir = memoryDir();
    const { trainer, index } = await changedTrainer(dir.path);
    const steps: string[] = [];
    const remembered = Promise.withResolvers<void>();
    const memory: FolderMemory = {
      ...NO_FOLDER_MEMORY,
      findChanges: (folder) => index.findChanges(folder),
      remember: () => Promise.resolve(void steps.push("remembered")).then(remembered.resolve),
    };
    const target = memoryPublisher([]);
    const { publish: send } = target.publisher;
    target.publisher.publish = async (set, onSend) => {
      steps.push("began");
      if (says) {
        onSend?.();
        await remembered.promise;
      }
      steps.push("ended");
      return await send(set);
    };
    await publishIn(trainer, target, { memory });
    const expected = says ? ["began", "remembered", "ended"] : ["began", "ended", "remembered"];
    assert.deepEqual(steps, expected);
  }
});

Deno.test("a publish reads only models that changed, and none of a remembered folder that the registry holds already", async () => {
  using dir = memoryDir();
  const trainer = machine(dir.path, "trainer", "unused");
  writeFiles(trainer.modelsDir, { "a.onnx": "one", "b.onnx": "two" });
  const first = await publishIn(trainer, memoryPublisher([]));
  assert.deepEqual(first.read.sort(), ["a.onnx", "b.onnx"]);
  assert.deepEqual((await publishIn(trainer, memoryPublisher([]))).read, []);

  // No cache knows a new file.
  writeFiles(trainer.modelsDir, { "c.onnx": "three" });
  const digest = first.report.release;
  const changes: FolderChanges = {
    root: trainer.modelsDir,
    remembered: { digest, files: 20, bytes: 30, sizeMax: 5 },
    files: new Set(),
    folders: new Set(),
    folderStats: new Map(),
    readFiles: () => Promise.resolve(undefined),
  };
  const memory = { ...NO_FOLDER_MEMORY, findChanges: () => Promise.resolve(changes) };
  const held = memoryPublisher([digest]);
  const { report, read } = await publishIn(trainer, held, { memory });
  assert.partialDeepStrictEqual(report, { outcome: "unchanged", release: digest, files: 20, bytes: 30 });
  assert.deepEqual([held.published, read], [[], []]);
  // Another publisher's release took its place.
  const lost = memoryPublisher([]);
  const again = await publishIn(trainer, lost, { memory });
  assert.partialDeepStrictEqual(again.report, { outcome: "published", files: 3, bytes: 11 });
  assert.deepEqual(again.read, ["c.onnx"]);
  assert.equal(lost.published.length, 1);
});
