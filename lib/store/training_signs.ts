import { join } from "node:path";
import { findEntry } from "../core/files.ts";
import { HISTORY_LOOKBACK, readHistory, TRAINING_COMMANDS } from "./history.ts";
import { inspectModelFolder } from "./model_folder.ts";
import type { Store } from "./store.ts";

/** The code of the refusal to activate a release in a folder that this machine trains into. */
export const TRAINED_FOLDER = "TRAINED_FOLDER";

/** Files that training commands leave in the store. They stay longer than the records in the history. */
const TRAINING_TRACES: readonly string[] = ["published.json", "archived.json"];

/**
 * Returns the evidence that this machine trains into its model folder, such as `publish of 2026-11-21T00:00:00Z`;
 * `undefined` without any, or if the folder is a link into the store.
 */
export function signOfTraining(store: Store): string | undefined {
  if (inspectModelFolder(store).kind === "linked") return undefined;
  const last = readHistory(store, HISTORY_LOOKBACK).find(({ command }) =>
    TRAINING_COMMANDS.includes(command)
  );
  if (last !== undefined) return `${last.command} of ${last.startedAt}`;
  return TRAINING_TRACES.find((name) => findEntry(store.fs, join(store.root, name)) !== undefined);
}
