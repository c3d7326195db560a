import assert from "node:assert/strict";
import { basename, join } from "node:path";
import fc from "fast-check";
import { ModelSyncError } from "../../lib/core/errors.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { verifyActive } from "../../lib/pipeline/verify.ts";
import { planFolder } from "../../lib/pipeline/plan_pull.ts";
import { freedBytes, planPrune, pruneReleases } from "../../lib/pipeline/prune.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { Digest } from "../../lib/release/manifest.ts";
import { readHistory } from "../../lib/store/history.ts";
import { activeManifest, readPointer } from "../../lib/store/pointers.ts";
import { addQuarantine, readQuarantine } from "../../lib/store/quarantine.ts";
import { clearIntent, type Intent, writeIntent } from "../../lib/store/intent.ts";
import { listReleases, type ReleaseHead } from "../../lib/store/releases.ts";
import { fillModels } from "../contract/carrier_contract.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { machine, publishFrom, pullTo, rollBack, storeOf } from "../helpers/machines.ts";
import { memoryDir, readFiles, type TempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git } from "../helpers/test_git.ts";

function world(dir: TempDir) {
  const registry = bareRepository(join(dir.path, "registry.git"));
  return {
    trainer: machine(dir.path, "trainer", registry),
    bot: machine(dir.path, "bot", registry),
    context: testContext(),
  };
}

/** Publishes and pulls one release for each content, oldest first. */
async function releases({ trainer, bot, context }: ReturnType<typeof world>, ...contents: string[]) {
  const digests: string[] = [];
  for (const content of contents) {
    fillModels(trainer.modelsDir, { "a.onnx": content, "b.json": "{}" });
    await publishFrom(context, trainer);
    digests.push((await pullTo(context, bot)).release);
  }
  return digests;
}

const SETS = [
  { "a.onnx": "one" },
  { "a.onnx": "two" },
  { "a.onnx": "two", "b/c.onnx": "three" },
  { "a.onnx/inner.onnx": "a folder now", "b/c.onnx": "three" },
] as const;

type Step =
  | { readonly do: "publish"; readonly set: number }
  | { readonly do: "pull" | "rollback" | "prune" | "damage" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("publish" as const), set: fc.nat(SETS.length - 1) }) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: "pull" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: "rollback" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: "prune" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: "damage" }) },
);

/** A pull that may activate a release, refuse one that was rolled back, or repair one. */
const EVERY_KIND: Step[] = [
  { do: "publish", set: 0 },
  { do: "pull" },
  { do: "publish", set: 1 },
  { do: "pull" },
  { do: "rollback" },
  { do: "pull" },
  { do: "publish", set: 2 },
  { do: "pull" },
  { do: "damage" },
  { do: "pull" },
  { do: "prune" },
];

/** The expected state, as a model beside the real store. Sets are named by their index. */
class Expected {
  published: number | undefined;
  sequence = 0;
  active: number | undefined;
  readonly damaged = new Set<number>();
  /** The sequence under which a set was last pulled. */
  readonly #pulledAs = new Map<number, number>();
  readonly #quarantined = new Map<number, number>();

  get isRefused(): boolean {
    return (this.#quarantined.get(this.published ?? -1) ?? 0) >= this.sequence;
  }

  get isActiveDamaged(): boolean {
    return this.damaged.has(this.active ?? -1);
  }

  publish(set: number): "published" | "unchanged" {
    if (this.published === set) return "unchanged";
    this.published = set;
    this.sequence++;
    return "published";
  }

  pull(set: number): "activated" | "unchanged" {
    const outcome = this.active === set && !this.damaged.has(set) ? "unchanged" : "activated";
    this.active = set;
    this.damaged.delete(set);
    this.#pulledAs.set(set, this.sequence);
    this.#quarantined.delete(set);
    return outcome;
  }

  rollBackTo(set: number): void {
    if (this.active !== undefined) {
      this.#quarantined.set(this.active, this.#pulledAs.get(this.active) ?? 0);
    }
    this.#quarantined.delete(set);
    this.active = set;
  }
}

Deno.test("after any sequence of publishes, pulls, rollbacks, prunes and damage, consumers see the expected release", async () => {
  const done = { activated: 0, refused: 0, rolledBack: 0, repaired: 0 };
  const walk = fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 16 }), async (steps) => {
    using dir = memoryDir();
    const { trainer, bot, context } = world(dir);
    const store = storeOf(context, bot);
    const expected = new Expected();
    const { damaged } = expected;
    const act = {
      publish: async (set: number) => {
        fillModels(trainer.modelsDir, SETS[set] ?? {});
        const { outcome } = await publishFrom(context, trainer, { allowShrink: true });
        assert.equal(outcome, expected.publish(set));
      },
      pull: async () => {
        const { published } = expected;
        if (published === undefined) return await assert.rejects(pullTo(context, bot), { exitCode: 4 });
        if (expected.isRefused) {
          done.refused++;
          return await assert.rejects(pullTo(context, bot), { code: "QUARANTINED" });
        }
        if (damaged.has(published)) done.repaired++;
        const outcome = expected.pull(published);
        assert.equal((await pullTo(context, bot)).outcome, outcome);
        if (outcome === "activated") done.activated++;
      },
      rollback: async () => {
        const before = readPointer(store, "current");
        try {
          await rollBack(context, bot);
        } catch (error) {
          assert.ok(error instanceof ModelSyncError, String(error));
          assert.ok(error.code === "NOTHING_TO_ROLL_BACK_TO" || damaged.size > 0, error.message);
          assert.equal(readPointer(store, "current"), before);
          return;
        }
        assert.notEqual(readPointer(store, "current"), before);
        const seen = JSON.stringify(readFiles(bot.modelsDir));
        expected.rollBackTo(SETS.findIndex((set) => JSON.stringify(set) === seen));
        done.rolledBack++;
      },
      prune: () => pruneReleases(context, store, planPrune(store, 1)),
      damage: () => {
        const { active } = expected;
        if (active === undefined || damaged.has(active)) return Promise.resolve();
        const [path = ""] = Object.keys(SETS[active] ?? {});
        Deno.removeSync(join(Deno.realPathSync(bot.modelsDir), path));
        damaged.add(active);
        return Promise.resolve();
      },
    };
    for (const next of steps) {
      await (next.do === "publish" ? act.publish(next.set) : act[next.do]());
      if (expected.active === undefined || expected.isActiveDamaged) continue;
      assert.deepEqual(readFiles(bot.modelsDir), SETS[expected.active]);
      assert.deepEqual((await verifyActive(context, store, "content")).problems, []);
    }
  });
  await fc.assert(walk, { numRuns: 12, examples: [[EVERY_KIND]] });
  // The fixed walk does every kind of action; the others are random.
  assert.ok(Object.values(done).every((count) => count > 0), JSON.stringify(done));
});

const ABSENT = Digest.parse(`sha256:${"0".repeat(64)}`);

Deno.test("planPrune() counts from the newest and keeps what pointers and the intent of a killed run name", async () => {
  using dir = memoryDir();
  const w = world(dir);
  const { bot, context } = w;
  const digests = await releases(w, "1", "2", "3", "4", "5");
  const store = storeOf(context, bot);
  await rollBack(context, bot, digests[0]);
  // Settling a killed run may activate what its intent names.
  const [, two] = listReleases(store).toReversed();
  assert.ok(two !== undefined);
  const killed = { runId: "r1", command: "pull", startedAt: "2026-01-01T00:00:00Z" };
  const named = (list: readonly ReleaseHead[]) => list.map(({ digest }) => digests.indexOf(digest) + 1);
  const { digest } = two.manifest;
  const intents: readonly Intent[] = [
    { ...killed, phase: "adopting", digest, from: null },
    { ...killed, phase: "adopting", digest: ABSENT, from: digest },
    { ...killed, phase: "activating", mode: "symlink", from: digest, to: ABSENT, previousBefore: null },
    { ...killed, phase: "activating", mode: "symlink", from: null, to: digest, previousBefore: null },
    { ...killed, phase: "activating", mode: "symlink", from: null, to: ABSENT, previousBefore: digest },
  ];
  for (const intent of intents) {
    writeIntent(store, intent);
    assert.deepEqual(named(planPrune(store, 2).removed), [], intent.phase);
  }
  clearIntent(store);
  const plan = planPrune(store, 2);
  // 4 and 3 are the newest that are not quarantined, 5 was rolled back, 1 is active.
  assert.deepEqual([named(plan.kept), named(plan.removed)], [[5, 4, 3, 1], [2]]);
  // Its other file is in the kept releases, too.
  assert.equal(freedBytes(store, plan), 1);
  const stopped = testContext({ signal: AbortSignal.abort(new Error("stop")) });
  await assert.rejects(pruneReleases(stopped, store, plan), /stop/);
  assert.equal(listReleases(store).length, 5);
  await pruneReleases(context, store, plan);
  assert.deepEqual(listReleases(store).length, 4);
  assert.equal(Array.from(Deno.readDirSync(store.statCache)).length, 4);
  assert.deepEqual(readFiles(bot.modelsDir), { "a.onnx": "1", "b.json": "{}" });
  assert.equal((await verifyActive(context, store, "content")).problems.length, 0);
});

Deno.test("pull() keeps the configured number of releases, and stores equal files once", async () => {
  using dir = memoryDir();
  const w = world(dir);
  const digests = await releases(w, "1", "2", "3", "4", "5", "6", "7");
  const store = storeOf(w.context, w.bot);
  assert.deepEqual(
    listReleases(store).map(({ manifest }) => manifest.digest),
    digests.slice(2).reverse(),
  );
  assert.equal(Deno.statSync(join(w.bot.modelsDir, "b.json")).nlink, 5);
});

Deno.test("rollback() activates older releases step by step and newer ones by name, and a pull activates the next published one", async () => {
  using dir = memoryDir();
  const w = world(dir);
  const { trainer, bot, context } = w;
  const [one, two, three] = await releases(w, "1", "2", "3");
  assert.equal((await rollBack(context, bot)).release, two);
  assert.equal((await rollBack(context, bot)).release, one);
  await assert.rejects(rollBack(context, bot), { code: "NOTHING_TO_ROLL_BACK_TO", exitCode: 2 });
  await assert.rejects(pullTo(context, bot), { code: "QUARANTINED", exitCode: 5 });
  assert.equal((await rollBack(context, bot, three?.slice("sha256:".length, 20))).release, three);
  assert.equal((await pullTo(context, bot)).outcome, "unchanged");
  assert.equal((await rollBack(context, bot, one)).release, one);
  assert.equal((await pullTo(context, bot, { force: true })).release, three);
  await rollBack(context, bot, one);
  writeFiles(trainer.modelsDir, { "a.onnx": "4" });
  await publishFrom(context, trainer);
  assert.equal((await pullTo(context, bot)).sequence, 4);
});

Deno.test("after a rollback, a pull refuses releases that are older than the replaced one", async () => {
  using dir = memoryDir();
  const w = world(dir);
  const { trainer, bot, context } = w;
  const [one] = await releases(w, "1");
  fillModels(trainer.modelsDir, { "a.onnx": "2", "b.json": "{}" });
  await publishFrom(context, trainer);
  const [three] = await releases(w, "3");
  await rollBack(context, bot, one);
  const hand = clone(join(dir.path, "registry.git"), join(dir.path, "hand"));
  git(hand, "checkout", "--quiet", "HEAD~1", "--", ".");
  commitAll(hand, "the release that nobody pulled");

  await assert.rejects(pullTo(context, bot), {
    code: "DOWNGRADE",
    exitCode: 5,
    message:
      /Cannot pull release [0-9a-f]{12}: its sequence 2 is lower than 3, of a release that was rolled back/,
  });
  assert.equal((await pullTo(context, bot, { allowDowngrade: true })).sequence, 2);
  assert.equal((await rollBack(context, bot, three)).sequence, 3);
  writeFiles(trainer.modelsDir, { "a.onnx": "4" });
  await publishFrom(context, trainer);
  assert.equal((await pullTo(context, bot)).sequence, 4);
});

Deno.test("rollback() refuses a release with damaged files, and the active release stays", async () => {
  using dir = memoryDir();
  const w = world(dir);
  const [one] = await releases(w, "1", "2");
  const store = storeOf(w.context, w.bot);
  const file = join(store.releases, one?.slice("sha256:".length) ?? "", "a.onnx");
  Deno.removeSync(file);
  Deno.writeTextFileSync(file, "X");
  await assert.rejects(rollBack(w.context, w.bot), { exitCode: 5, message: /a\.onnx has SHA-256/ });
  Deno.writeTextFileSync(join(store.releases, `${one?.slice("sha256:".length)}.json`), "{");
  await assert.rejects(rollBack(w.context, w.bot, one), {
    code: "RELEASE_DAMAGED",
    exitCode: 5,
    message: /: its manifest is damaged$/,
    hint: /choose another release: model-sync rollback --to/,
  });
  assert.deepEqual(readFiles(w.bot.modelsDir), { "a.onnx": "2", "b.json": "{}" });
});

Deno.test("an activation that fails between the two pointers sets both back, and the quarantine stays as it was", async () => {
  using dir = memoryDir();
  const w = world(dir);
  const { trainer, bot, context } = w;
  const [one, two] = await releases(w, "1", "2");
  const store = storeOf(context, bot);
  const pointers = () => [readPointer(store, "previous"), readPointer(store, "current")];
  const operator = { reason: "an operator's", at: "2026-01-01T00:00:00Z" };
  for (const { manifest: { digest, sequence } } of listReleases(store).slice(0, 1)) {
    addQuarantine(store, { ...operator, digest, sequence });
  }
  const quarantine = readQuarantine(store);
  fillModels(trainer.modelsDir, { "a.onnx": "3", "b.json": "{}" });
  await publishFrom(context, trainer);
  for (const run of [pullTo, (context: ReturnType<typeof testContext>) => rollBack(context, bot, one)]) {
    let failures = 0;
    const fs = countingFs((step) => {
      if (step !== `rename ${join(store.root, "current.new")} ${join(store.root, "current")}`) return;
      if (failures++ === 0) throw Object.assign(new Error("simulated"), { code: "EIO" });
    });
    await assert.rejects(run(testContext({ fs }), bot), { code: "DISK", exitCode: 7 });
    assert.equal(failures, 1);
    assert.deepEqual(pointers(), [one, two]);
    assert.deepEqual(readQuarantine(store), quarantine);
  }
  assert.equal((await pullTo(context, bot)).outcome, "activated");
  assert.equal(pointers()[0], two);
});

Deno.test("a first pull replaces a model folder that no release can hold, and keeps it under another name", async () => {
  using dir = memoryDir();
  const { trainer, bot, context } = world(dir);
  writeFiles(trainer.modelsDir, { "a.onnx": "new" });
  await publishFrom(context, trainer);
  writeFiles(bot.modelsDir, { "a.onnx": "old" });
  Deno.symlinkSync("a.onnx", join(bot.modelsDir, "latest.onnx"));
  await pullTo(context, bot);
  assert.deepEqual(readFiles(bot.modelsDir), { "a.onnx": "new" });
  const [aside = ""] = Array.from(Deno.readDirSync(join(bot.modelsDir, "..")), ({ name }) => name)
    .filter((name) => name.startsWith("models.before-"));
  assert.deepEqual(readFiles(join(bot.modelsDir, "..", aside)), { "a.onnx": "old", "latest.onnx": "old" });
});

Deno.test("a download that a failed pull began stays for the next one, and goes with a pull that succeeds", async () => {
  using dir = memoryDir();
  const { trainer, bot, context } = world(dir);
  writeFiles(trainer.modelsDir, { "a.onnx": "one" });
  await publishFrom(context, trainer);
  const { partials } = storeOf(context, bot);
  writeFiles(partials, { begun: "half of a model" });
  const full = testContext({ freeBytes: () => Promise.resolve(1) });
  await assert.rejects(pullTo(full, bot), { exitCode: 7 });
  assert.deepEqual(readFiles(partials), { begun: "half of a model" });
  await pullTo(context, bot);
  assert.deepEqual(readFiles(partials), {});
});

Deno.test("a machine that agreed once to pull into its training folder need not agree again, in mirror mode", async () => {
  using dir = memoryDir();
  const { trainer, context } = world(dir);
  writeFiles(trainer.modelsDir, { "a.onnx": "one" });
  await publishFrom(context, trainer);
  const other = machine(dir.path, "other", trainer.registry.repoUrl ?? "");
  writeFiles(other.modelsDir, { "a.onnx": "two" });
  await publishFrom(context, other);
  const mirror = { activation: "mirror" } as const;
  await assert.rejects(pullTo(context, trainer, mirror), { code: "TRAINED_FOLDER", exitCode: 5 });
  await pullTo(context, trainer, { ...mirror, adopts: true });
  writeFiles(other.modelsDir, { "a.onnx": "three" });
  await publishFrom(context, other);
  assert.equal((await pullTo(context, trainer, mirror)).outcome, "activated");
  assert.deepEqual(readFiles(trainer.modelsDir), { "a.onnx": "three" });
});

Deno.test("a killed adoption is on record as finished if the folder had become a release, and as undone if it had not", async () => {
  for (const isAdopted of [true, false]) {
    using dir = memoryDir();
    const { trainer, bot, context } = world(dir);
    writeFiles(trainer.modelsDir, { "a.onnx": "one" });
    const { release } = await publishFrom(context, trainer);
    const store = storeOf(context, bot);
    if (isAdopted) await pullTo(context, bot);
    else writeFiles(bot.modelsDir, { "a.onnx": "before" });
    const killed = { runId: "r1", command: "pull", startedAt: "2026-01-01T00:00:00Z" };
    writeIntent(store, { ...killed, phase: "adopting", digest: Digest.parse(release), from: null });
    await pullTo(context, bot);
    const record = readHistory(store, 2).find(({ runId }) => runId === "r1");
    assert.equal(record?.outcome, isAdopted ? "activated" : "interrupted");
    assert.deepEqual(readFiles(bot.modelsDir), { "a.onnx": "one" });
  }
});

Deno.test("in mirror mode, a folder that no release can hold is refused before a pull, and one that shows a release stays", async () => {
  using dir = memoryDir();
  const { trainer, bot, context } = world(dir);
  const store = storeOf(context, bot);
  writeFiles(bot.modelsDir, { "a.onnx": "mine" });
  Deno.symlinkSync("/dev/null", join(bot.modelsDir, "link"));
  assert.throws(() => planFolder(store, "mirror", store, undefined), { code: "FOLDER_UNFIT", exitCode: 5 });
  assert.equal(planFolder(store, "symlink", store, undefined)?.present, "aside");
  Deno.removeSync(join(bot.modelsDir, "link"));
  assert.deepEqual(planFolder(store, "mirror", store, undefined), {
    becomes: "mirror",
    present: "release",
    trainedBy: null,
  });
  writeFiles(trainer.modelsDir, { "a.onnx": "one" });
  await publishFrom(context, trainer);
  await pullTo(context, bot, { activation: "mirror" });
  assert.equal(planFolder(store, "mirror", store, activeManifest(store)), undefined);
});

Deno.test("a release whose manifest is damaged does not take the place of a whole one in a prune", async () => {
  using dir = memoryDir();
  const one = world(dir);
  const digests = await releases(one, "one", "two", "three", "four");
  const store = storeOf(one.context, one.bot);
  const manifest = join(store.releases, `${digests[1]?.slice("sha256:".length)}.json`);
  const text = Deno.readTextFileSync(manifest);
  Deno.chmodSync(manifest, 0o644);
  Deno.writeTextFileSync(manifest, text.replace('"path":', '"path";'));
  const sequences = (heads: readonly ReleaseHead[]) => heads.map(({ sequence }) => sequence);
  const three = planPrune(storeOf(one.context, one.bot), 3);
  assert.deepEqual([sequences(three.kept), sequences(three.removed)], [[4, 3, 1], []]);
  const two = planPrune(storeOf(one.context, one.bot), 2);
  assert.deepEqual(sequences(two.kept), [4, 3]);
});

Deno.test("a prune reads only the heads of manifests that have not changed since they were installed", async () => {
  using dir = memoryDir();
  const one = world(dir);
  const digests = await releases(one, "one", "two", "three", "four");
  const opened: string[] = [];
  const fs: FileSystem = {
    ...Deno,
    openSync: (path, options) => {
      opened.push(basename(String(path)));
      return Deno.openSync(path, options);
    },
  };
  const names = digests.map((digest) => `${digest.slice("sha256:".length)}.json`);
  const openings = () => {
    opened.length = 0;
    planPrune(storeOf(testContext({ fs }), one.bot), 3);
    return names.map((name) => opened.filter((path) => path === name).length);
  };
  assert.deepEqual(openings(), [1, 1, 1, 1]);
  const touched = join(storeOf(one.context, one.bot).releases, names[2] ?? "");
  Deno.utimeSync(touched, 1, 1);
  assert.deepEqual(openings(), [1, 1, 2, 1]);
});

Deno.test("prune frees a disk that is full to the last byte", async () => {
  using dir = memoryDir();
  const w = world(dir);
  await releases(w, "1", "2", "3");
  let isFull = true;
  const fs = countingFs((step) => {
    if (step.startsWith("remove")) isFull = false;
    else if (isFull && !step.startsWith("open")) {
      throw Object.assign(new Error("simulated"), { code: "ENOSPC" });
    }
  });
  const context = testContext({ fs });
  const store = { ...storeOf(w.context, w.bot), fs };
  await recordedRun(context, store, { command: "prune", lock: "store", sinks: [] }, async () => {
    await pruneReleases(context, store, planPrune(store, 1));
    return { outcome: "pruned" };
  });
  assert.equal(listReleases(store).length, 2);
  assert.equal(readHistory(store, 1)[0]?.outcome, "pruned");
});

Deno.test("a pull that repairs a release logs one warning, in both modes and for every kind of damage", async () => {
  for (const activation of ["symlink", "mirror"] as const) {
    for (const force of [false, true]) {
      using dir = memoryDir();
      const { trainer, bot, context } = world(dir);
      const files = { "a.onnx": "one", "b.onnx": "two", "sub/c.onnx": "three" };
      writeFiles(trainer.modelsDir, files);
      await publishFrom(context, trainer);
      await pullTo(context, bot, { activation });
      const damaged = join(bot.modelsDir, "a.onnx");
      Deno.chmodSync(damaged, 0o644);
      Deno.writeTextFileSync(damaged, "damaged");
      if (activation === "symlink") {
        // A folder in the place of a file, and a file in the place of a folder.
        Deno.removeSync(join(bot.modelsDir, "b.onnx"));
        writeFiles(bot.modelsDir, { "b.onnx/x": "" });
        Deno.removeSync(join(bot.modelsDir, "sub"), { recursive: true });
        writeFiles(bot.modelsDir, { sub: "" });
      }
      const warnings: string[] = [];
      const log = { ...context.log, warn: (message: string) => void warnings.push(message) };
      assert.equal((await pullTo({ ...context, log }, bot, { activation, force })).outcome, "activated");
      assert.deepEqual(readFiles(bot.modelsDir), files);
      const isMixed = warnings.some((warning) => /activating file by file, because /.test(warning));
      assert.equal(isMixed, activation === "mirror", warnings.join("; "));
      const aboutDamage = warnings.filter((warning) => /damage|mend/.test(warning));
      assert.equal(aboutDamage.length, 1, `${activation} ${force}: ${warnings.join("; ")}`);
    }
  }
});
