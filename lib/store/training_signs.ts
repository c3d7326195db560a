import { join } from "node:path";
import { UsageError } from "../core/errors.ts";
import { findEntry } from "../core/files.ts";
import { hasField, HISTORY_LOOKBACK, newestRuns, TRAINING_COMMANDS } from "./history.ts";
import { inspectModelFolder } from "./model_folder.ts";
import { findStore, type Store } from "./store.ts";

/** The code of the refusal to activate a release in a folder that this machine trains into. */
export const TRAINED_FOLDER = "TRAINED_FOLDER";

/** Files that training commands leave in the store. They stay longer than the records in the history. */
const TRAINING_TRACES: readonly string[] = ["published.json", "archived.json"];

/**
 * Returns the evidence that this machine trains into its model folder, such as `publish of 2026-11-21T00:00:00Z`;
 * `undefined` without any, or if the folder is a link into the store. If the store is elsewhere, the usual store beside
 * the folder counts, too: a publish without `--state-dir` left its records there.
 */
export function signOfTraining(store: Store): string | undefined {
  if (inspectModelFolder(store).kind === "linked") return undefined;
  return signIn(store) ?? signIn(usualStore(store));
}

/** Returns the store beside the model folder, if it belongs to that folder. */
function usualStore({ fs, modelsDir }: Store): Store | undefined {
  try {
    return findStore(fs, { modelsDir });
  } catch (error) {
    // It belongs to another model folder, or is none.
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

function signIn(store: Store | undefined): string | undefined {
  if (store === undefined) return undefined;
  const mayTrain = (line: string) => TRAINING_COMMANDS.some((command) => hasField(line, "command", command));
  const last = newestRuns(store, HISTORY_LOOKBACK, mayTrain).find(({ command }) =>
    TRAINING_COMMANDS.includes(command)
  );
  if (last !== undefined) return `${last.command} of ${last.startedAt}`;
  return TRAINING_TRACES.find((name) => findEntry(store.fs, join(store.root, name)) !== undefined);
}
