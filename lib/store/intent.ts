import { z } from "zod";
import { CleanString } from "../core/clean_string.ts";
import { syncFolder } from "../core/files.ts";
import { StateFile } from "../core/state_file.ts";
import { Digest } from "../release/manifest.ts";
import { QuarantineEntry } from "./quarantine.ts";
import { withReserve } from "./reserve.ts";
import type { Store } from "./store.ts";

const Run = { runId: CleanString, command: CleanString, startedAt: CleanString };

const Intent = z.discriminatedUnion("phase", [
  /** Nothing that a consumer sees was touched yet. */
  z.object({ ...Run, phase: z.literal("preparing") }),
  /** The real model folder is about to become release `digest`, with a link in its place. */
  z.object({ ...Run, phase: z.literal("adopting"), digest: Digest, from: Digest.nullable() }),
  /** The pointers are about to move from `from` to `to`. */
  z.object({
    ...Run,
    phase: z.literal("activating"),
    mode: z.enum(["symlink", "mirror"]),
    from: Digest.nullable(),
    to: Digest,
    previousBefore: Digest.nullable(),
    /** Which release is left for `to`, to be quarantined with it, and what the quarantine said of it before. */
    left: QuarantineEntry.optional(),
    leftBefore: QuarantineEntry.optional(),
  }),
]);
/** What the unfinished run was about to do, so that the next one can finish or undo it. */
export type Intent = Readonly<z.infer<typeof Intent>>;
export type IntentRun = Pick<Intent, "runId" | "command" | "startedAt">;

/** Writes the intent durably: it must be on the disk before what it announces. */
export function writeIntent(store: Store, intent: Intent): void {
  const write = () => intentFile(store).replace(intent);
  // Nothing depends on an intent that announces nothing.
  if (intent.phase === "preparing") write();
  else withReserve(store, write);
}

/** The intent that an earlier run left, if any. One that cannot be read is treated as `preparing`: pointers decide. */
export function readIntent(store: Store): Intent | undefined {
  const read = intentFile(store).read();
  if (read.kind === "none") return undefined;
  if (read.kind === "found") return read.value;
  // Not this program's writing: damage by hand or disk. The run it was about is unknown, but it did not end.
  store.warn(`${store.intent} is damaged (${read.reason}): the run that it was about is unknown`);
  return { phase: "preparing", runId: "unknown", command: "unknown", startedAt: "1970-01-01T00:00:00Z" };
}

/** Removes the intent durably. */
export function clearIntent(store: Store): void {
  intentFile(store).remove();
  syncFolder(store.fs, store.root);
}

function intentFile({ fs, intent }: Store): StateFile<Intent> {
  return new StateFile<Intent>(fs, intent, Intent);
}
