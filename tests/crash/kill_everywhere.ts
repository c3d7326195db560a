import assert from "node:assert/strict";
import { join } from "node:path";
import { findEntry } from "../../lib/core/files.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import { listFolder } from "../../lib/core/folders.ts";
import { releaseDigest } from "../../lib/release/manifest.ts";
import { readHistory } from "../../lib/store/history.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { findRelease, listReleases } from "../../lib/store/releases.ts";
import { findStore, stateDirOf } from "../../lib/store/store.ts";
import { type Machine, publishFrom, storeOf } from "../helpers/machines.ts";
import { copyTree, memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository } from "../helpers/test_git.ts";
import { contentOf } from "./content_of.ts";
import { eachKill } from "./each_kill.ts";
import { botAt, trainerAt, VICTIM_COMMANDS, type VictimCommand } from "./victim_commands.ts";

export type Files = Readonly<Record<string, string>>;

// One file changes, one stays, one is new: more files only add steps of the same kinds.
export const V1: Files = {
  "BTC/rf.bin": "btc one",
  "ETH/rf.bin": "eth, never changed",
};
export const V2: Files = {
  "BTC/rf.bin": "btc two",
  "ETH/rf.bin": "eth, never changed",
  "SOL/new.bin": "sol",
};

export interface World {
  readonly root: string;
  readonly trainer: Machine;
  readonly bot: Machine;
}

function worldAt(root: string): World {
  return { root, trainer: trainerAt(root), bot: botAt(root) };
}

/** A registry without a release, and two machines. */
export function emptyWorld(root: string): World {
  bareRepository(join(root, "registry.git"));
  return worldAt(root);
}

/** A registry with V1, and two machines. */
export async function prepareWorld(root: string): Promise<World> {
  const world = emptyWorld(root);
  writeFiles(world.trainer.modelsDir, V1);
  await publishFrom(testContext(), world.trainer);
  return world;
}

export async function publishV2(world: World): Promise<void> {
  writeFiles(world.trainer.modelsDir, V2);
  await publishFrom(testContext(), world.trainer);
}

/** Files whose bytes no run reads: those with a temporary name, and the reserve of disk space. */
const UNREAD = /\.new$|\/reserve\/\d+$/;

/**
 * Kills a command before each of its steps, in a fresh copy of a world each time, and checks what is left.
 * @param since matches the first step to kill at, and `until` the first one that is left out, see {@link eachKill}
 */
export async function killEverywhere(
  command: VictimCommand,
  prepare: (root: string) => Promise<void>,
  check: (world: World) => Promise<void>,
  since?: RegExp,
  until?: RegExp,
): Promise<void> {
  using base = memoryDir();
  await prepare(base.path);
  await eachKill(
    command,
    async (kill) => {
      using copy = memoryDir();
      copyTree(base.path, copy.path);
      readdress(base.path, copy.path);
      await kill({
        look: () => contentOf(copy.path, UNREAD),
        work: (context) => VICTIM_COMMANDS[command](context, copy.path),
        script: "tests/crash/victim.ts",
        args: (killAt) => [command, String(killAt), copy.path],
      });
      const world = worldAt(copy.path);
      const marked = [world.trainer, world.bot].map((machine) => ({ machine, runs: markedRuns(machine) }));
      await check(world);
      for (const { machine, runs } of marked) assertOnRecord(machine, runs);
    },
    since,
    until,
  );
}

/** The runs that had a mark when they were killed. */
function markedRuns(machine: Machine): string[] {
  const names = listFolder(Deno, join(stateDirOf(Deno, machine), "running")) ?? [];
  return names.flatMap(({ name }) => name.endsWith(".json") ? [name.slice(0, -".json".length)] : []);
}

/** Checks that each run, killed or not, is recorded once, and that no mark is left. */
function assertOnRecord(machine: Machine, killed: readonly string[]): void {
  const store = findStore(Deno, machine);
  if (store === undefined) return;
  const recorded = readHistory(store, 1_000).map(({ runId }) => runId);
  assert.equal(new Set(recorded).size, recorded.length, `a run is on record twice: ${recorded}`);
  const left = markedRuns(machine);
  for (const runId of killed) {
    // Without a later run, only the mark shows a killed run.
    assert.ok(left.includes(runId) || recorded.includes(runId), `the killed run ${runId} is not on record`);
  }
}

/** Replaces the remembered address of the registry in a copied world: it would look like another registry. */
const ADDRESSES = [
  "registry/.git/config",
  ".model-sync/published.json",
  ".model-sync/revisions.json",
] as const;

function readdress(from: string, to: string): void {
  for (const machine of ["trainer", "bot"]) {
    for (const name of ADDRESSES) {
      const path = join(to, machine, name);
      if (findEntry(Deno, path) === undefined) continue;
      Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replaceAll(from, to));
    }
  }
}

/** Checks invariants 1 and 2 of the store: consumers see one whole release, and the pointer names it. */
export function assertSeesOneOf(world: World, versions: readonly Files[]): void {
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

export async function assertStoreSound(world: World): Promise<void> {
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
