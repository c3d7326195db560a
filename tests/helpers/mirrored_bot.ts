import assert from "node:assert/strict";
import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import { planRollback, rollback, type RollbackReport } from "../../lib/pipeline/rollback.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { MIRROR_SCRATCH_NAME } from "../../lib/store/mirror_scratch.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { listReleases } from "../../lib/store/releases.ts";
import { type Machine, storeOf } from "./machines.ts";
import { readFiles } from "./temp_dir.ts";
import { testContext } from "./test_context.ts";

/** Activates a release of the store by mirroring, like `model-sync rollback --to`. */
export async function mirrorTo(context: Context, bot: Machine, sequence: number): Promise<RollbackReport> {
  const store = storeOf(context, bot);
  return await recordedRun(context, store, { command: "rollback", lock: "store", sinks: [] }, (run) => {
    const release = listReleases(store).find(({ manifest }) => manifest.sequence === sequence);
    return rollback(context, store, run, planRollback(store, release?.manifest.digest), "mirror");
  });
}

/** Starts a run that does nothing but complete an interrupted earlier run. */
export async function settleLeft(context: Context, bot: Machine): Promise<void> {
  const store = storeOf(context, bot);
  await recordedRun(
    context,
    store,
    { command: "prune", lock: "store", sinks: [] },
    () => Promise.resolve({ outcome: "unchanged" }),
  );
}

/** Returns the sequence of the release in `current`. */
export function activeSequence(bot: Machine): number | undefined {
  const store = storeOf(testContext(), bot);
  const active = readPointer(store, "current");
  return listReleases(store).find(({ manifest }) => manifest.digest === active)?.manifest.sequence;
}

/** Asserts that the folder holds the files of the active release, the foreign files, and no scratch files. */
export function assertMirrored(
  bot: Machine,
  sets: readonly Readonly<Record<string, string>>[],
  foreign: Readonly<Record<string, string>> = {},
): void {
  const active = activeSequence(bot);
  assert.ok(active !== undefined, "no release is active");
  const wanted = Object.entries({ ...sets[active - 1], ...foreign }).sort();
  assert.deepEqual(Object.entries(readFiles(bot.modelsDir)).sort(), wanted, `release ${active} is active`);
  for (const name of [MIRROR_SCRATCH_NAME]) assert.throws(() => Deno.lstatSync(join(bot.modelsDir, name)));
}
