import assert from "node:assert/strict";
import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import { activate } from "../../lib/pipeline/activate.ts";
import { ValidRelease, VerifiedRelease } from "../../lib/pipeline/checked_release.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import type { Digest } from "../../lib/release/manifest.ts";
import { writeIntent } from "../../lib/store/intent.ts";
import { chooseMode } from "../../lib/store/model_folder.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { listReleases, releaseDir } from "../../lib/store/releases.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import {
  type Machine,
  machine,
  newTrainer,
  publishFrom,
  pulledReleases,
  pullTo,
  registryOf,
  storeOf,
} from "../helpers/machines.ts";
import { mirrorTo, settleLeft } from "../helpers/mirrored_bot.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository } from "../helpers/test_git.ts";

const SWAPS = 10_000;

Deno.test("a reader that loads the model folder through 10,000 swaps sees no failed and no mixed read", async () => {
  // Each swap is synced: on a disk, ten thousand need most of a minute.
  using dir = memoryDir();
  const registry = bareRepository(`${dir.path}/registry.git`);
  const trainer = machine(dir.path, "trainer", registry);
  const bot = machine(dir.path, "bot", registry);
  const context = testContext();
  for (const version of ["one", "two"]) {
    writeFiles(trainer.modelsDir, { "a.onnx": version, "b.onnx": version, "c/d.onnx": version });
    await publishFrom(context, trainer);
    await pullTo(context, bot);
  }
  const store = storeOf(context, bot);
  const releases = await Promise.all(
    listReleases(store).map((stored) => VerifiedRelease.ofStored(context, store, stored)),
  );
  const choice = chooseMode(store, "auto");

  const reader = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "-A",
      `${PROJECT}tests/store/reader.ts`,
      bot.modelsDir,
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  for (let swap = 0; swap < SWAPS; swap++) {
    const release = releases[swap % releases.length];
    assert.ok(release);
    await activate(context, store, ValidRelease.ofStored(release), {
      runId: "swap",
      command: "swap",
      startedAt: "2026-11-21T00:00:00Z",
    }, choice);
  }
  await reader.stdin.close();
  const { stdout } = await reader.output();
  const seen: unknown = JSON.parse(new TextDecoder().decode(stdout));
  assert.ok(
    typeof seen === "object" && seen !== null && "loads" in seen && Number(seen.loads) > 1000,
    JSON.stringify(seen),
  );
  assert.deepEqual({ ...seen, loads: 0 }, { loads: 0, failed: 0, mixed: 0 });
});

const V1 = { "a.onnx": "one" };
const V2 = { "a.onnx": "two" };
const KILLED = { runId: "killed", command: "pull", startedAt: "2026-11-21T00:00:00Z" };

/** A context in which the model folder cannot be opened while it shows a release. */
function closedAt({ modelsDir }: Machine, release: Digest) {
  const realPathSync: typeof Deno.realPathSync = (path) => {
    const seen = Deno.realPathSync(path);
    if (path === modelsDir && seen.endsWith(release.slice("sha256:".length))) throw osError("EACCES");
    return seen;
  };
  return testContext({ fs: { ...Deno, realPathSync } });
}

/** Returns the active release, and the files that consumers see. */
function shown(bot: Machine) {
  return [readPointer(storeOf(testContext(), bot), "current"), readFiles(bot.modelsDir)];
}

Deno.test("if consumers cannot open a new release, the one before stays active, also after a kill", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await pulledReleases(dir.path, [V1]);
  const store = storeOf(testContext(), bot);
  const before = shown(bot);
  const first = readPointer(store, "current") ?? null;
  writeFiles(trainer.modelsDir, V2);
  const { release: second } = await publishFrom(testContext(), trainer);
  const closed = closedAt(bot, second);
  await assert.rejects(pullTo(closed, bot), { code: "MODELS_UNREADABLE", exitCode: 7 });
  assert.deepEqual(shown(bot), before);

  await pullTo(testContext(), bot);
  writeIntent(store, {
    ...KILLED,
    phase: "activating",
    mode: "symlink",
    from: first,
    to: second,
    previousBefore: null,
  });
  await settleLeft(closed, bot);
  assert.deepEqual(shown(bot), before);
  assert.match(closed.log.lines.join("\n"), /warn .*; rolling back to the release before/);
});

Deno.test("an activation is not undone to a release that the store has lost", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await pulledReleases(dir.path, [V1]);
  const store = storeOf(testContext(), bot);
  const first = readPointer(store, "current");
  assert.ok(first !== undefined);
  writeFiles(trainer.modelsDir, V2);
  const { release: second } = await publishFrom(testContext(), trainer);
  Deno.removeSync(`${releaseDir(store, first)}.json`);
  await assert.rejects(pullTo(closedAt(bot, second), bot), { code: "MODELS_UNREADABLE", exitCode: 7 });
  assert.deepEqual(shown(bot), [second, V2]);
});

Deno.test("a first activation that was killed is finished by the next run, also if consumers cannot open the release at first", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, [V1]);
  const store = storeOf(testContext(), bot);
  const active = shown(bot);
  const to = readPointer(store, "current");
  assert.ok(to !== undefined);
  Deno.removeSync(bot.modelsDir);
  writeIntent(store, {
    ...KILLED,
    phase: "activating",
    mode: "symlink",
    from: null,
    to,
    previousBefore: null,
  });
  const options = { command: "publish", lock: "store", sinks: [] } as const;
  const next = (context: Context) =>
    recordedRun(context, storeOf(context, bot), options, () => Promise.resolve({ outcome: "unchanged" }));
  await assert.rejects(next(closedAt(bot, to)), { code: "MODELS_UNREADABLE", exitCode: 7 });
  await next(testContext());
  assert.deepEqual(shown(bot), active);
});

Deno.test("a first activation whose link fails once is finished at the end of the run, which names the release", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path, V1);
  const { release } = await publishFrom(testContext(), trainer);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  let failures = 0;
  const fs = countingFs((step) => {
    if (/^symlink .*\.model-sync-link$/.test(step) && failures++ === 0) throw osError("EIO");
  });
  await assert.rejects(pullTo(testContext({ fs }), bot), {
    code: "DISK",
    exitCode: 7,
    hint: /release [0-9a-f]{12} is active$/,
  });
  assert.deepEqual(shown(bot), [release, V1]);
});

Deno.test("a pull makes a removed link to the model folder again, and fails while consumers cannot open it", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, [V1]);
  const active = shown(bot);
  const [release] = listReleases(storeOf(testContext(), bot)).map(({ manifest }) => manifest.digest);
  assert.ok(release !== undefined);
  Deno.removeSync(bot.modelsDir);
  const closed = closedAt(bot, release);
  await assert.rejects(pullTo(closed, bot), { code: "MODELS_UNREADABLE", exitCode: 7 });
  Deno.removeSync(bot.modelsDir);
  assert.equal((await pullTo(testContext(), bot)).outcome, "activated");
  assert.deepEqual(shown(bot), active);
});

Deno.test("a first mirroring whose files cannot be put in place leaves the folder unchanged and no active release", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path, V1);
  await publishFrom(testContext(), trainer);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  const target = join(bot.modelsDir, "a.onnx");
  const fs = countingFs((step) => {
    if (step.startsWith("rename") && step.endsWith(` ${target}`)) throw osError("EIO");
  });
  await assert.rejects(pullTo(testContext({ fs }), bot, { activation: "mirror" }), {
    exitCode: 7,
    hint: /no release is active$/,
  });
  assert.deepEqual(shown(bot), [undefined, {}]);
});

Deno.test("a mirroring whose release lost its manifest after a kill is settled, and the pull downloads it again", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, [V1, V2], { activation: "mirror" });
  const store = storeOf(testContext(), bot);
  const [second, first] = listReleases(store).map(({ manifest }) => manifest.digest);
  assert.ok(first !== undefined && second !== undefined);
  writeIntent(store, {
    ...KILLED,
    phase: "activating",
    mode: "mirror",
    from: first,
    to: second,
    previousBefore: null,
  });
  Deno.removeSync(`${releaseDir(store, second)}.json`);
  assert.equal((await pullTo(testContext(), bot, { activation: "mirror" })).outcome, "activated");
  assert.deepEqual(shown(bot), [second, V2]);
});

Deno.test("the repair of a mirrored release keeps the release that a rollback activates, also after a kill", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, [V1, V2], { activation: "mirror" });
  const store = storeOf(testContext(), bot);
  const [second, first] = listReleases(store).map(({ manifest }) => manifest.digest);
  assert.ok(first !== undefined && second !== undefined);
  const damage = () => Deno.removeSync(join(bot.modelsDir, "a.onnx"));
  const check = () => {
    assert.deepEqual(shown(bot), [second, V2]);
    assert.equal(readPointer(store, "previous"), first);
    assert.equal(Deno.lstatSync(bot.modelsDir).isSymlink, false);
  };
  damage();
  assert.equal((await pullTo(testContext(), bot, { activation: "mirror" })).outcome, "activated");
  check();
  damage();
  // A repair that was killed, and a pointer that the same power cut damaged.
  Deno.removeSync(join(store.root, "previous"));
  Deno.writeTextFileSync(join(store.root, "previous"), "?");
  writeIntent(store, {
    ...KILLED,
    phase: "activating",
    mode: "mirror",
    from: second,
    to: second,
    previousBefore: first,
  });
  await settleLeft(testContext(), bot);
  check();
  assert.equal((await mirrorTo(testContext(), bot, 2)).previous, first);
});
