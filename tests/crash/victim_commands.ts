import type { Context } from "../../lib/core/context.ts";
import { planPrune, pruneReleases } from "../../lib/pipeline/prune.ts";
import { RolledBackError } from "../../lib/pipeline/run_report.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { machine, publishFrom, pullTo, rollBack, storeOf } from "../helpers/machines.ts";
import { fixedKey } from "../helpers/signing.ts";
import { guards } from "./guards.ts";

/** The victims of kill tests: each runs one command on a machine in a folder, with the registry there. */
export const VICTIM_COMMANDS = {
  publish: (context: Context, root: string) =>
    publishFrom(context, trainerAt(root), { seal: fixedKey().seal() }),
  pull: (context: Context, root: string) => pullTo(context, botAt(root)),
  "pull-to-spare": (context: Context, root: string) =>
    pullTo(context, botAt(root), { keep: 1, indexedFilesMin: 1 }),
  "pull-mirror": (context: Context, root: string) => pullTo(context, botAt(root), { activation: "mirror" }),
  "pull-signed": (context: Context, root: string) =>
    pullTo(context, botAt(root), { signatures: fixedKey().required }),
  "pull-guarded": (context: Context, root: string) =>
    pullTo(context, botAt(root), { safeguards: guards(root) }).catch((error) => {
      // The command may be a rollback.
      if (!(error instanceof RolledBackError)) throw error;
    }),
  "pull-withdrawn": (context: Context, root: string) =>
    pullTo(context, botAt(root)).catch((error) => {
      if (!(error instanceof RolledBackError)) throw error;
    }),
  rollback: (context: Context, root: string) => rollBack(context, botAt(root)),
  prune: async (context: Context, root: string) => {
    const store = storeOf(context, botAt(root));
    await recordedRun(context, store, { command: "prune", lock: "store", sinks: [] }, async () => {
      await pruneReleases(context, store, planPrune(store, 1));
      return { outcome: "pruned" };
    });
  },
} as const satisfies Record<string, (context: Context, root: string) => Promise<unknown>>;

export type VictimCommand = keyof typeof VICTIM_COMMANDS;

export function trainerAt(root: string) {
  return machine(root, "trainer", `${root}/registry.git`);
}

export function botAt(root: string) {
  return machine(root, "bot", `${root}/registry.git`);
}

export function isVictimCommand(name: string): name is VictimCommand {
  return Object.hasOwn(VICTIM_COMMANDS, name);
}
