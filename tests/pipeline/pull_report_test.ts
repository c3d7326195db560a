import assert from "node:assert/strict";
import { join } from "node:path";
import { InterruptedError, TransientError } from "../../lib/core/errors.ts";
import { planPull } from "../../lib/pipeline/plan_pull.ts";
import { safeguardsOf } from "../../lib/pipeline/safeguards.ts";
import { ModelSync } from "../../lib/config/schema.ts";
import { Digest, shortDigest } from "../../lib/release/manifest.ts";
import { appendHistory, readHistory } from "../../lib/store/history.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { addQuarantine, newestRolledBack, readQuarantine } from "../../lib/store/quarantine.ts";
import { listReleases, releaseDir } from "../../lib/store/releases.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import { machine, rollBack, storeOf } from "../helpers/machines.ts";
import { MemorySource, pullFrom } from "../helpers/memory_source.ts";
import { memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

/** A machine that pulls from registries in memory. */
class Puller implements Disposable {
  readonly #dir = memoryDir();
  readonly bot = machine(this.#dir.path, "bot", "unused");
  readonly store = storeOf(testContext(), this.bot);

  /** Pulls the releases with these contents, which have the sequences 1, 2 … @returns their digests */
  async pullAll(...contents: string[]) {
    const digests: Digest[] = [];
    for (const [index, content] of contents.entries()) {
      const source = await MemorySource.offering({ "rf.bin": content, "same.bin": "same" }, index + 1);
      digests.push((await pullFrom(testContext(), this.store, source)).release);
    }
    return digests;
  }

  get sequences(): number[] {
    return listReleases(this.store).map(({ manifest }) => manifest.sequence);
  }

  /** Leaves a partial download, and returns whether it is still there. */
  leavePartial(): () => boolean {
    const { partials } = this.store;
    Deno.writeTextFileSync(join(partials, "part"), "some bytes");
    return () => [...Deno.readDirSync(partials)].length > 0;
  }

  [Symbol.dispose]() {
    this.#dir[Symbol.dispose]();
  }
}

function warningsOf({ log }: ReturnType<typeof testContext>): string[] {
  return log.lines.filter((line) => line.startsWith("warn "));
}

Deno.test("a pull reports and records its release, the one before it, and how much changed", async () => {
  using puller = new Puller();
  const { store, bot } = puller;
  const pulling = async (files: Record<string, string>, sequence: number) => {
    const context = testContext();
    const source = await MemorySource.offering(files, sequence);
    const { runId: _id, durationMs: _ms, ...report } = await pullFrom(context, store, source);
    assert.deepEqual(warningsOf(context), []);
    const [record] = readHistory(store, 1);
    assert.partialDeepStrictEqual({ ...record, modelsDir: bot.modelsDir }, report);
    return report;
  };
  const common = { carrier: "git", files: 2, bytes: 7, modelsDir: bot.modelsDir };
  const first = await pulling({ "rf.bin": "one", "same.bin": "same" }, 1);
  assert.deepEqual(first, {
    ...common,
    outcome: "activated",
    revision: "1",
    release: readPointer(store, "current"),
    sequence: 1,
    changed: 2,
    writtenBytes: 7,
  });
  const second = await pulling({ "rf.bin": "two", "same.bin": "same" }, 2);
  assert.deepEqual(second, {
    ...common,
    outcome: "activated",
    revision: "2",
    release: readPointer(store, "current"),
    previous: first.release,
    sequence: 2,
    changed: 1,
    writtenBytes: 3,
  });
  // The same revision again, and the same files in another revision.
  const unchanged = { ...second, outcome: "unchanged", changed: 0, writtenBytes: 0 };
  assert.deepEqual(await pulling({ "rf.bin": "two", "same.bin": "same" }, 2), unchanged);
  const again = await pulling({ "rf.bin": "two", "same.bin": "same" }, 3);
  assert.deepEqual(again, { ...unchanged, revision: "3", sequence: 3 });
});

Deno.test("a pull that repairs the active release names the damage once, and reports the number of repaired files", async () => {
  using puller = new Puller();
  const { store } = puller;
  const [release] = await puller.pullAll("one");
  assert.ok(release !== undefined);
  const path = join(releaseDir(store, release), "rf.bin");
  Deno.chmodSync(path, 0o644);
  Deno.writeTextFileSync(path, "damaged");
  const context = testContext();
  const source = await MemorySource.offering({ "rf.bin": "one", "same.bin": "same" }, 1);
  const report = await pullFrom(context, store, source);
  assert.partialDeepStrictEqual(report, { outcome: "activated", release, changed: 1, writtenBytes: 3 });
  const [warning = "", ...others] = warningsOf(context);
  assert.match(warning, /the active release is damaged and is downloaded again: .*rf\.bin/);
  assert.deepEqual(others, []);
});

Deno.test("a pull of a new release removes old ones and partial downloads, an unchanged one only the latter", async () => {
  using puller = new Puller();
  const { store } = puller;
  await puller.pullAll("one", "two", "three");
  const isLeft = puller.leavePartial();
  const same = await MemorySource.offering({ "rf.bin": "three", "same.bin": "same" }, 4);
  assert.equal((await pullFrom(testContext(), store, same, { keep: 1 })).outcome, "unchanged");
  assert.deepEqual([puller.sequences, isLeft()], [[4, 2, 1], false]);

  const next = await MemorySource.offering({ "rf.bin": "four" }, 5);
  puller.leavePartial();
  await pullFrom(testContext(), store, next, { keep: 1 });
  // Whatever the number, the two releases stay that the settling of this run could activate.
  assert.deepEqual([puller.sequences, isLeft()], [[5, 4, 2], false]);
});

Deno.test("a pull succeeds although the disk removes no old release, and logs the reason", async () => {
  using puller = new Puller();
  const [oldest = ""] = await puller.pullAll("one", "two", "three");
  const fs = countingFs((step) => {
    if (step.includes(oldest.slice("sha256:".length))) throw osError("EIO");
  });
  const next = await MemorySource.offering({ "rf.bin": "four" }, 4);
  const context = testContext({ fs });
  const isLeft = puller.leavePartial();
  const failing = { ...puller.store, fs };
  assert.equal((await pullFrom(context, failing, next, { keep: 1 })).outcome, "activated");
  assert.match(String(warningsOf(context)), /^warn cannot remove old releases: /);
  assert.equal(isLeft(), false);
});

Deno.test("a pull that fails keeps the partial downloads and the old releases for the next one", async () => {
  using puller = new Puller();
  await puller.pullAll("one", "two", "three");
  const isLeft = puller.leavePartial();
  const next = await MemorySource.offering({ "rf.bin": "four" }, 4);
  next.otherThanRefused = "train again";
  next.beforeStage = () => {
    throw new TransientError("Cannot download", { code: "AWAY", hint: "wait" });
  };
  await assert.rejects(pullFrom(testContext(), puller.store, next, { keep: 1 }), {
    code: "AWAY",
    hint: /^wait; release [0-9a-f]{12} is active$/,
  });
  assert.deepEqual([puller.sequences, isLeft()], [[3, 2, 1], true]);
});

Deno.test("a pull that was rolled back removes partial downloads and old releases: one that fails every day fills no disk", async () => {
  using puller = new Puller();
  const [, , good] = await puller.pullAll("one", "two", "three");
  const isLeft = puller.leavePartial();
  const script = `! grep -q four "$MODEL_SYNC_RELEASE_DIR/rf.bin"`;
  const reload = [{ type: "command", command: ["sh", "-c", script], retries: 0 }];
  const safeguards = safeguardsOf(ModelSync.parse({ activation: { reload } }));
  const next = await MemorySource.offering({ "rf.bin": "four" }, 4);
  const pulling = pullFrom(testContext(), puller.store, next, { safeguards, keep: 1 });
  await assert.rejects(pulling, { code: "RELOAD_FAILED", exitCode: 8 });
  assert.equal(readPointer(puller.store, "current"), good);
  assert.deepEqual([puller.sequences, isLeft()], [[4, 3], false]);
});

Deno.test("a pull ends the quarantine of its release; only one that activates another release ends the effect of rollbacks", async () => {
  using puller = new Puller();
  const { store, bot } = puller;
  const offer = (content: string, sequence: number) =>
    MemorySource.offering({ "rf.bin": content, "same.bin": "same" }, sequence);
  const entries = () => readQuarantine(store).map(({ digest, wasLeft }) => [digest, wasLeft === true]);
  const [one, two] = await puller.pullAll("one", "two");
  assert.ok(one !== undefined && two !== undefined);
  await rollBack(testContext(), bot);
  assert.deepEqual(entries(), [[two, true]]);
  // The same revision is refused without another look at it.
  const refused = await offer("two", 2);
  await assert.rejects(pullFrom(testContext(), store, refused), { code: "QUARANTINED", exitCode: 5 });
  assert.deepEqual(refused.calls, ["resolve"]);

  const at = "2026-11-21T00:00:00Z";
  addQuarantine(store, { digest: one, sequence: 1, reason: "an operator's", at });
  assert.equal((await pullFrom(testContext(), store, await offer("one", 3))).outcome, "unchanged");
  assert.deepEqual(entries(), [[two, true]]);
  assert.equal(newestRolledBack(store), 2);

  const three = (await pullFrom(testContext(), store, await offer("three", 4))).release;
  assert.deepEqual([entries(), newestRolledBack(store)], [[[two, false]], undefined]);
  addQuarantine(store, { digest: three, sequence: 4, reason: "an operator's", at });
  assert.equal((await pullFrom(testContext(), store, await offer("two", 5))).outcome, "activated");
  assert.deepEqual(entries(), [[three, false]]);
});

Deno.test("a pull is not undone by a full disk that cannot hold the record of its revision, but by a fault of the program", async () => {
  for (const fault of [osError("ENOSPC"), new TypeError("a fault")]) {
    using puller = new Puller();
    const fs = countingFs((step) => {
      if (step.startsWith("rename ") && step.endsWith("revisions.json")) throw fault;
    });
    const context = testContext({ fs });
    const source = await MemorySource.offering({ "rf.bin": "one" }, 1);
    const pulling = pullFrom(context, { ...puller.store, fs }, source);
    if (fault instanceof TypeError) await assert.rejects(pulling, fault);
    else {
      assert.equal((await pulling).outcome, "activated");
      assert.match(String(warningsOf(context)), /^warn Cannot remember the pulled revision: /);
    }
    assert.equal(readPointer(puller.store, "current"), source.digest);
  }
});

Deno.test("the hint of a refused pull names the way to another release only where the source has one", async () => {
  using puller = new Puller();
  const [digest] = await puller.pullAll("one");
  assert.ok(digest !== undefined);
  const next = await MemorySource.offering({ "rf.bin": "two" }, 2);
  const at = "2026-11-21T00:00:00Z";
  addQuarantine(puller.store, { digest: next.digest, sequence: 2, reason: "a test", at });
  const hint = `publish a newer release, or allow this one again: model-sync quarantine lift ${
    shortDigest(next.digest)
  }`;
  const active = `release ${shortDigest(digest)} is active`;
  const refused = { code: "QUARANTINED", hint: `${hint}; ${active}` };
  await assert.rejects(pullFrom(testContext(), puller.store, next), refused);
  next.otherThanRefused = "train again";
  const trained = { ...refused, hint: `${hint}; train again; ${active}` };
  await assert.rejects(pullFrom(testContext(), puller.store, next), trained);
});

Deno.test("a pull refuses a folder that this machine trains into before it downloads anything", async () => {
  using puller = new Puller();
  const { store, bot } = puller;
  writeFiles(bot.modelsDir, { "rf.bin": "trained here" });
  appendHistory(store, {
    runId: "run-1",
    command: "publish",
    outcome: "published",
    startedAt: "2026-11-21T00:00:00Z",
    durationMs: 1,
    host: "trainer",
  });
  const source = await MemorySource.offering({ "rf.bin": "one" }, 1);
  await assert.rejects(pullFrom(testContext(), store, source), { code: "TRAINED_FOLDER", exitCode: 5 });
  assert.deepEqual(source.calls, ["resolve", "inspect"]);
  assert.deepEqual(readFiles(bot.modelsDir), { "rf.bin": "trained here" });
});

Deno.test("only a pull that mirrors needs room for copies in the model folder, and its first dry run says that it mirrors", async () => {
  for (const activation of ["symlink", "mirror"] as const) {
    using puller = new Puller();
    const { store, bot } = puller;
    writeFiles(bot.modelsDir, { "rf.bin": "old" });
    const source = await MemorySource.offering({ "rf.bin": "one" }, 1);
    const plan = async () =>
      await planPull(testContext(), store, source, {
        allowDowngrade: false,
        force: false,
        target: { place: store, activation },
      });
    const becomes = activation === "mirror" ? "mirror" : "link";
    assert.deepEqual((await plan()).folder, { becomes, present: "release", trainedBy: null });
    const full = testContext({ freeBytes: () => Promise.resolve(0) });
    const pulling = pullFrom(full, store, source, { activation });
    if (activation === "mirror") {
      await assert.rejects(pulling, { code: "DISK", exitCode: 7 });
      await pullFrom(testContext(), store, source, { activation });
    } else await pulling;
    assert.equal(readFiles(bot.modelsDir)["rf.bin"], "one");
    assert.deepEqual(await plan(), {
      outcome: "unchanged",
      revision: "1",
      release: source.digest,
      sequence: 1,
      changes: { added: [], modified: [], removed: [] },
    });
  }
});

Deno.test("a pull that is interrupted while it removes old releases has succeeded, without a warning", async () => {
  using puller = new Puller();
  await puller.pullAll("one", "two", "three");
  const controller = new AbortController();
  const next = await MemorySource.offering({ "rf.bin": "four" }, 4);
  const context = testContext({ signal: controller.signal });
  puller.leavePartial();
  const fs = countingFs((step) => {
    if (!step.startsWith("remove ") || !step.includes(puller.store.partials)) return;
    controller.abort(new InterruptedError("stopped", { code: "INTERRUPTED" }));
  });
  const pulling = pullFrom({ ...context, fs }, { ...puller.store, fs }, next, { keep: 1 });
  assert.equal((await pulling).outcome, "activated");
  assert.deepEqual([warningsOf(context), puller.sequences], [[], [4, 3, 2, 1]]);
});
