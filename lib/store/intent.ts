import * as z from "zod";
import { CleanString } from "../core/clean_string.ts";
import { findEntry, syncFolder } from "../core/files.ts";
import { StateFile } from "../core/state_file.ts";
import { Digest } from "../release/manifest.ts";
import { QuarantineEntry } from "./quarantine.ts";
import { withReserve } from "./reserve.ts";
import type { Store } from "./store.ts";

const Run = { runId: CleanString, command: CleanString, startedAt: CleanString };

const Intent = z.lazy(() =>
  z.discriminatedUnion("phase", [
    /** Nothing that a consumer sees has changed yet. */
    z.object({ ...Run, phase: z.literal("preparing") }),
    /** The real model folder is about to become release `digest`, and a link takes its place. */
    z.object({ ...Run, phase: z.literal("adopting"), digest: Digest, from: Digest.nullable() }),
    /** The pointers are about to move from `from` to `to`. */
    z.object({
      ...Run,
      phase: z.literal("activating"),
      mode: z.enum(["symlink", "mirror"]),
      from: Digest.nullable(),
      to: Digest,
      previousBefore: Digest.nullable(),
      /** Of a rollback: the quarantine's new entry for the replaced release, and its entry before. */
      left: QuarantineEntry.optional(),
      leftBefore: QuarantineEntry.optional(),
    }),
  ])
);
/** The next step of an unfinished run, so that the next run can finish or undo it. */
export type Intent = Readonly<z.infer<typeof Intent>>;
export type IntentRun = Pick<Intent, "runId" | "command" | "startedAt">;

/** Writes the intent durably: it must be on the disk before the change that it announces. */
export function writeIntent(store: Store, intent: Intent): void {
  const write = () => intentFile(store).replace(intent);
  // A `preparing` intent announces no change, and is not worth the reserve.
  if (intent.phase === "preparing") write();
  else withReserve(store, write);
}

/** Returns the intent of an unfinished run. A damaged one counts as `preparing`: then the pointers decide. */
export function readIntent(store: Store): Intent | undefined {
  const read = intentFile(store).read();
  if (read.kind === "none") return undefined;
  if (read.kind === "found") return read.value;
  // Damaged by hand or by the disk. Its run is unknown, but that run did not end.
  store.warn(`${store.intent} is damaged (${read.reason}): the run that wrote it is unknown`);
  return { phase: "preparing", runId: "unknown", command: "unknown", startedAt: "1970-01-01T00:00:00Z" };
}

/** Removes the intent durably, if there is one. */
export function clearIntent(store: Store): void {
  if (findEntry(store.fs, store.intent) === undefined) return;
  intentFile(store).remove();
  syncFolder(store.fs, store.root);
}

function intentFile({ fs, intent }: Store): StateFile<Intent> {
  return new StateFile<Intent>(fs, intent, Intent);
}
