import assert from "node:assert/strict";
import { join } from "node:path";
import { releaseDigest } from "../../lib/release/manifest.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import { abortCanary } from "../../lib/canary/settle_canary.ts";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { canaryPath, judgedCanary, openCanary } from "../../lib/canary/find_canary.ts";
import { auditActive } from "../../lib/pipeline/audit.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { readPendingReload } from "../../lib/store/pending_reload.ts";
import { guards, heard, METRIC, UNLOADABLE } from "./guards.ts";
import { planPrune, pruneReleases } from "../../lib/pipeline/prune.ts";
import { readHistory } from "../../lib/store/history.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { findRelease, listReleases } from "../../lib/store/releases.ts";
import { type Machine, machine, publishFrom, pullTo, rollBack, storeOf } from "../helpers/machines.ts";
import { fixedKey } from "../helpers/signing.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository, git, GIT_ENV } from "../helpers/test_git.ts";

type Files = Readonly<Record<string, string>>;

const V1: Files = {
  "BTC/rf.bin": "btc one",
  "BTC/metadata.json": '{"v":1}',
  "ETH/rf.bin": "eth, never changed",
};
const V2: Files = {
  "BTC/rf.bin": "btc two",
  "BTC/metadata.json": '{"v":2}',
  "ETH/rf.bin": "eth, never changed",
  "SOL/new.bin": "sol",
};

/** No command takes more steps than this; a loop that ran on would show here. */
const STEPS_MAX = 400;

/** Kills run side by side: most of their time is spent starting processes. */
const PARALLEL = navigator.hardwareConcurrency;

interface World {
  readonly root: string;
  readonly registry: string;
  readonly trainer: Machine;
  readonly bot: Machine;
}

function worldAt(root: string): World {
  const registry = join(root, "registry.git");
  return { root, registry, trainer: machine(root, "trainer", registry), bot: machine(root, "bot", registry) };
}

/** A registry and two machines: V1 is published and, unless told otherwise, pulled; the trainer has V2 ready. */
async function prepareWorld(root: string): Promise<World> {
  bareRepository(join(root, "registry.git"));
  const world = worldAt(root);
  writeFiles(world.trainer.modelsDir, V1);
  await publishFrom(testContext(), world.trainer);
  return world;
}

async function publishV2(world: World): Promise<void> {
  writeFiles(world.trainer.modelsDir, V2);
  await publishFrom(testContext(), world.trainer);
}

/** Copies a prepared world, so that every kill begins from the same one. */
function copyWorld(from: string, to: string): World {
  const copied = new Deno.Command("cp", { args: ["-a", `${from}/.`, to] }).outputSync();
  assert.ok(copied.success, new TextDecoder().decode(copied.stderr));
  return worldAt(to);
}

/** Runs the victim; `undefined` when it was killed, else the number of its steps. */
async function runVictim(command: string, killAt: number, world: World): Promise<number | undefined> {
  const result = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "-A",
      "--config",
      `${PROJECT}deno.json`,
      `${PROJECT}tests/crash/victim.ts`,
      command,
      String(killAt),
      world.root,
      world.registry,
    ],
    env: GIT_ENV,
    stdin: "null",
  }).output();
  if (result.signal === "SIGKILL") return undefined;
  assert.equal(result.code, 0, new TextDecoder().decode(result.stderr));
  return Number(new TextDecoder().decode(result.stdout));
}

/**
 * Which steps a command is killed before. The suite has to end in some minutes: of commands with very many steps it is
 * every third, from the first in one test and from the second in another of the same command; where most steps are
 * those of a command that is killed in another test, a third of the others tells whether what was added holds.
 */
interface Kills {
  readonly part: "all" | "from the second" | "first half" | "last half";
  readonly every: number;
}

const EVERYWHERE: Kills = { part: "all", every: 1 };

/** Kills a command before each of its steps, in a fresh copy of a world each time, and checks what is left. */
async function killEverywhere(
  command: string,
  prepare: (root: string) => Promise<void>,
  check: (world: World, killedAt: number) => Promise<void>,
  { part, every }: Kills = EVERYWHERE,
): Promise<void> {
  using base = tempDir();
  await prepare(base.path);
  using rehearsal = tempDir();
  const steps = await runVictim(command, 0, copyWorld(base.path, rehearsal.path));
  assert.ok(steps !== undefined && steps > 5 && steps < STEPS_MAX, `${command} took ${steps} steps`);
  let next = part === "last half" ? steps >> 1 : part === "from the second" ? 2 : 1;
  const last = part === "first half" ? steps >> 1 : steps;
  const worker = async () => {
    for (let killAt = next; killAt <= last; killAt = next) {
      next += every;
      using copy = tempDir();
      const world = copyWorld(base.path, copy.path);
      // Runs differ by a step or two in how the kernel cuts writes: a victim may survive the last kills.
      await runVictim(command, killAt, world);
      try {
        await check(world, killAt);
      } catch (error) {
        throw new Error(`after ${command} was killed before step ${killAt} of ${steps}`, { cause: error });
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

/** Invariants 1 and 2 of the store: what consumers open is one whole release, and the pointer names it. */
function assertSeesOneOf(world: World, versions: readonly Files[]): void {
  const seen = readFiles(world.bot.modelsDir);
  assert.ok(
    versions.some((version) => isSame(seen, version)),
    `consumers see a mixture: ${JSON.stringify(seen)}`,
  );
}

function isSame(seen: Files, version: Files): boolean {
  const sorted = (files: Files) => JSON.stringify(Object.entries(files).sort());
  return sorted(seen) === sorted(version);
}

async function assertStoreSound(world: World): Promise<void> {
  const store = storeOf(testContext(), world.bot);
  const current = readPointer(store, "current");
  assert.ok(
    current !== undefined && findRelease(store, current) !== undefined,
    "current names no whole release",
  );
  const previous = readPointer(store, "previous");
  if (previous !== undefined) assert.ok(findRelease(store, previous), "previous names no whole release");
  for (const { manifest } of listReleases(store)) {
    const files = readFiles(join(store.releases, manifest.digest.slice("sha256:".length)));
    const measured = await Promise.all(
      Object.entries(files).map(async ([path, text]) => ({
        path,
        size: new TextEncoder().encode(text).length,
        sha256: await sha256Hex(text),
      })),
    );
    assert.equal(await releaseDigest(measured), manifest.digest);
  }
  assert.deepEqual([...Deno.readDirSync(store.staging)], [], "staging is not swept");
  const names = Array.from(Deno.readDirSync(store.releases), ({ name }) => name);
  const signatures = names.filter((name) => name.endsWith(".sig"));
  assert.equal(
    names.length - signatures.length,
    listReleases(store).length * 2,
    "a part of a release is left",
  );
  assert.ok(signatures.every((name) => names.includes(name.replace(/sig$/, "json"))), "a signature is left");
}

Deno.test("a pull killed before every third step leaves the old release or the new one, and the next pull succeeds", async () => {
  await killEverywhere("pull", async (root) => {
    const world = await prepareWorld(root);
    await pullTo(testContext(), world.bot);
    await publishV2(world);
  }, async (world) => {
    assertSeesOneOf(world, [V1, V2]);
    const report = await pullTo(testContext(), world.bot);
    assert.ok(report.outcome === "activated" || report.outcome === "unchanged");
    assertSeesOneOf(world, [V2]);
    await assertStoreSound(world);
    const store = storeOf(testContext(), world.bot);
    assert.equal(
      readPointer(store, "previous"),
      listReleases(store).find((r) => r.manifest.sequence === 1)?.manifest.digest,
    );
    const outcomes = readHistory(store, 3).map((run) => run.outcome);
    if (report.outcome === "unchanged") {
      assert.equal(outcomes[1], "activated", "the killed run's activation is on record");
    }
  }, { part: "all", every: 3 });
});

Deno.test("a first pull killed before every third step leaves the folder that was there or a whole release", async () => {
  const before: Files = { "old.bin": "from before" };
  await killEverywhere("pull", async (root) => {
    const world = await prepareWorld(root);
    writeFiles(world.bot.modelsDir, before);
  }, async (world) => {
    // Between the two renames of an adoption there is no model folder; the next run makes it whole again.
    if (exists(world.bot.modelsDir)) assertSeesOneOf(world, [before, V1]);
    await pullTo(testContext(), world.bot);
    assertSeesOneOf(world, [V1]);
    await assertStoreSound(world);
    await rollBack(testContext(), world.bot);
    assertSeesOneOf(world, [before]);
  }, { part: "from the second", every: 3 });
});

Deno.test("a pull into a mirrored folder killed while it activates ends whole with the next pull", async () => {
  await killEverywhere("pull-mirror", async (root) => {
    const world = await prepareWorld(root);
    writeFiles(world.bot.modelsDir, { "mine.txt": "not a model" });
    await pullTo(testContext(), world.bot, { activation: "mirror" });
    writeFiles(world.bot.modelsDir, { "mine.txt": "not a model" });
    await publishV2(world);
  }, async (world) => {
    await pullTo(testContext(), world.bot, { activation: "mirror" });
    assertSeesOneOf(world, [{ ...V2, "mine.txt": "not a model" }]);
    await assertStoreSound(world);
  }, { part: "last half", every: 3 });
});

Deno.test("a guarded pull killed while it swaps leaves telling consumers, and watching, to the next", async () => {
  await killEverywhere("pull-guarded", async (root) => {
    const world = await prepareWorld(root);
    writeFiles(root, { [METRIC]: "0.6" });
    await pullTo(testContext(), world.bot, { safeguards: guards(root) });
    await publishV2(world);
  }, async (world) => {
    assertSeesOneOf(world, [V1, V2]);
    await pullTo(testContext(), world.bot, { safeguards: guards(world.root) });
    assertSeesOneOf(world, [V2]);
    await assertStoreSound(world);
    const store = storeOf(testContext(), world.bot);
    const active = readPointer(store, "current");
    assert.equal(heard(world.root).at(-1), `activated ${active}`);
    assert.equal(openCanary(store)?.digest, active);
    assert.deepEqual(openCanary(store)?.metrics[0]?.baseline, { kind: "value", value: 0.6 });
    assert.equal(readPendingReload(store), undefined);
  }, { part: "last half", every: 3 });
});

Deno.test("a pull killed on its way back ends at the release before, with all consumers told", async () => {
  await killEverywhere("pull-guarded", async (root) => {
    const world = await prepareWorld(root);
    writeFiles(root, { [METRIC]: "0.6" });
    await pullTo(testContext(), world.bot, { safeguards: guards(root) });
    writeFiles(world.trainer.modelsDir, { [UNLOADABLE]: "!" });
    await publishV2(world);
  }, async (world) => {
    assertSeesOneOf(world, [V1, { ...V2, [UNLOADABLE]: "!" }]);
    const store = storeOf(testContext(), world.bot);
    // One run may be needed to go back, the next only finds the quarantine.
    for (const _ of ["go back", "find the quarantine"]) {
      await assert.rejects(pullTo(testContext(), world.bot, { safeguards: guards(world.root) }), (error) => {
        assert.ok(error instanceof ModelSyncError);
        return ["RELOAD_FAILED", "QUARANTINED"].includes(error.code);
      });
    }
    assertSeesOneOf(world, [V1]);
    await assertStoreSound(world);
    assert.equal(heard(world.root).at(-1), `rolled-back ${readPointer(store, "current")}`);
    assert.equal(openCanary(store), undefined);
    assert.equal(readPendingReload(store), undefined);
  }, { part: "last half", every: 3 });
});

Deno.test("a pull killed while it leaves a bad canary leaves it all the same", async () => {
  await killEverywhere("pull-guarded", async (root) => {
    const world = await prepareWorld(root);
    writeFiles(root, { [METRIC]: "0.6" });
    await pullTo(testContext(), world.bot, { safeguards: guards(root) });
    await publishV2(world);
    await pullTo(testContext(), world.bot, { safeguards: guards(root) });
    abortCanary(testContext(), canaryPath(storeOf(testContext(), world.bot)));
  }, async (world) => {
    assertSeesOneOf(world, [V1, V2]);
    const store = storeOf(testContext(), world.bot);
    for (const _ of ["go back", "find the quarantine"]) {
      await assert.rejects(pullTo(testContext(), world.bot, { safeguards: guards(world.root) }), (error) => {
        assert.ok(error instanceof ModelSyncError);
        return ["CANARY_ABORTED", "QUARANTINED"].includes(error.code);
      });
    }
    assertSeesOneOf(world, [V1]);
    await assertStoreSound(world);
    assert.equal(heard(world.root).at(-1), `rolled-back ${readPointer(store, "current")}`);
    assert.equal(judgedCanary(store), undefined);
  }, { part: "first half", every: 3 });
});

Deno.test("a rollback killed before any of its steps leaves the one release or the other, and can be repeated", async () => {
  await killEverywhere("rollback", async (root) => {
    const world = await prepareWorld(root);
    await pullTo(testContext(), world.bot);
    await publishV2(world);
    await pullTo(testContext(), world.bot);
  }, async (world) => {
    assertSeesOneOf(world, [V1, V2]);
    const store = storeOf(testContext(), world.bot);
    const first = listReleases(store).find(({ manifest }) => manifest.sequence === 1);
    await rollBack(testContext(), world.bot, first?.manifest.digest);
    assertSeesOneOf(world, [V1]);
    await assertStoreSound(world);
    await assert.rejects(pullTo(testContext(), world.bot), { code: "QUARANTINED" });
  });
});

Deno.test("a prune killed before any of its steps never touches what a pointer names", async () => {
  await killEverywhere("prune", async (root) => {
    const world = await prepareWorld(root);
    await pullTo(testContext(), world.bot);
    for (const text of ["two", "three", "four"]) {
      writeFiles(world.trainer.modelsDir, { "BTC/rf.bin": text });
      await publishFrom(testContext(), world.trainer);
      await pullTo(testContext(), world.bot);
    }
  }, async (world) => {
    assertSeesOneOf(world, [{ ...V1, "BTC/rf.bin": "four" }]);
    const context = testContext();
    const store = storeOf(context, world.bot);
    await recordedRun(context, store, "prune", async () => {
      await pruneReleases(context, store, planPrune(store, 1));
      return { outcome: "pruned" };
    });
    assert.equal(listReleases(store).length, 2);
    await assertStoreSound(world);
    await rollBack(context, world.bot);
    assertSeesOneOf(world, [{ ...V1, "BTC/rf.bin": "three" }]);
  });
});

Deno.test("a publish killed before every third step leaves the registry with the old release or the new one", async () => {
  await killEverywhere("publish", async (root) => {
    const world = await prepareWorld(root);
    writeFiles(world.trainer.modelsDir, V2);
    Deno.removeSync(join(world.trainer.modelsDir, "ETH"), { recursive: true });
  }, async (world) => {
    const published: Files = Object.fromEntries(
      Object.entries(V2).filter(([path]) => !path.startsWith("ETH")),
    );
    await pullTo(testContext(), world.bot);
    assertSeesOneOf(world, [V1, published]);
    const report = await publishFrom(testContext(), world.trainer);
    assert.ok(report.outcome === "published" || report.outcome === "unchanged");
    assert.equal(git(world.trainer.registry.repoDir, "status", "--porcelain"), "", "the clone is left dirty");
    await pullTo(testContext(), world.bot);
    assertSeesOneOf(world, [published]);
    assert.deepEqual(
      readFiles(world.trainer.modelsDir),
      Object.fromEntries(Object.entries(published).sort()),
    );
  }, { part: "all", every: 3 });
});

Deno.test("a pull killed while it brings a signature ends signed with the next pull", async () => {
  await killEverywhere("pull-signed", async (root) => {
    const world = await prepareWorld(root);
    await pullTo(testContext(), world.bot);
    // The very release that is active is published again, now signed.
    await publishFrom(testContext(), world.trainer, { seal: fixedKey().seal() });
  }, async (world) => {
    assertSeesOneOf(world, [V1]);
    const context = testContext();
    assert.equal(
      (await pullTo(context, world.bot, { signatures: fixedKey().required })).outcome,
      "unchanged",
    );
    await assertStoreSound(world);
    const report = await auditActive(context, storeOf(context, world.bot), "stat", fixedKey().required);
    assert.deepEqual([report.signature, report.sequence, report.problems], ["verified", 2, []]);
  }, { part: "all", every: 3 });
});

Deno.test("a publish killed while it signs leaves nothing that a client would refuse", async () => {
  await killEverywhere("publish-signed", async (root) => {
    const world = worldAt(root);
    bareRepository(world.registry);
    writeFiles(world.trainer.modelsDir, V1);
    await publishFrom(testContext(), world.trainer, { seal: fixedKey().seal() });
    writeFiles(world.trainer.modelsDir, { "ETH/rf.bin": "another" });
  }, async (world) => {
    const signatures = fixedKey().required;
    await pullTo(testContext(), world.bot, { signatures });
    assertSeesOneOf(world, [V1, { ...V1, "ETH/rf.bin": "another" }]);
    await publishFrom(testContext(), world.trainer, { seal: fixedKey().seal() });
    assert.equal(git(world.trainer.registry.repoDir, "status", "--porcelain"), "", "the clone is left dirty");
    await pullTo(testContext(), world.bot, { signatures });
    assertSeesOneOf(world, [{ ...V1, "ETH/rf.bin": "another" }]);
  }, { part: "last half", every: 3 });
});

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
