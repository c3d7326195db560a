import { z } from "zod";
import { CleanString } from "../core/clean_string.ts";
import { cleanLine } from "../core/clean_text.ts";
import { type FileSystem, findEntry, findText, replaceFile, UnusableFileError } from "../core/files.ts";
import { clearWay, removeState } from "../core/set_aside.ts";
import { whileLocked } from "../core/while_locked.ts";
import { Digest } from "../release/manifest.ts";

/** As many samples of a metric as the state keeps, for whoever looks at it; the judgement needs none of them. */
export const SAMPLES_KEPT = 20;

const Reading = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("value"), value: z.number() }),
  z.strictObject({ kind: z.literal("nan") }),
  z.strictObject({ kind: z.literal("no-data"), reason: CleanString }),
]);

const MetricState = z.strictObject({
  name: CleanString,
  /** Which source the baseline was measured at, as a hash: addresses and commands may hold secrets. */
  source: z.string(),
  /** What was measured before the swap. */
  baseline: Reading,
  /** Degraded samples so far. */
  failures: z.number().int().min(0),
  /** The last ones, oldest first. */
  samples: z.array(z.strictObject({ at: CleanString, reading: Reading })),
});
/** What is known of a metric. */
export type MetricState = Readonly<z.infer<typeof MetricState>>;

/** Being watched: `watching`, `paused`. A verdict: the others; `aborted` and `promoted` are an operator's. */
export const CANARY_STATUSES = ["watching", "paused", "passed", "degraded", "aborted", "promoted"] as const;
export type CanaryStatus = (typeof CANARY_STATUSES)[number];

const Milliseconds = z.number().min(0);

const CanaryState = z.strictObject({
  schema: z.literal(1),
  /** The release that is watched, and the one to go back to. */
  digest: Digest,
  previous: Digest,
  sequence: z.number(),
  /** The run that activated it. Together with the digest it says which canary this is. */
  runId: CleanString,
  startedAt: CleanString,
  durationMs: Milliseconds,
  intervalMs: Milliseconds,
  /** How much of the duration was watched. Only this decides when it is over, never a wall clock. */
  watchedMs: Milliseconds,
  /** Sample rounds so far. A round that is counted twice, by two processes, is noticed by it. */
  rounds: z.number().int().min(0),
  status: z.enum(CANARY_STATUSES),
  /** Why it has this status, for people. */
  reason: CleanString,
  statusSince: CleanString,
  /** When the verdict was acted upon; until then the next run has to. */
  concludedAt: z.string().nullable(),
  metrics: z.array(MetricState),
});
/** A canary as it stands on the disk, whoever watches it. */
export type CanaryState = Readonly<z.infer<typeof CanaryState>>;

/** What is in the place of the state. */
export type CanaryFile =
  | { readonly kind: "none" }
  | { readonly kind: "found"; readonly state: CanaryState }
  /** Damage, or a later version's. What was known is lost; the release has to be watched anew. */
  | { readonly kind: "unreadable"; readonly reason: string };

/** What to do about an unreadable state: whether the active release was still being watched is lost with it. */
export const UNREADABLE_MEND =
  "remove the file to keep the active release unwatched, or go back with model-sync rollback";

/** The state at `path`. Damage is told, not thrown. */
export function readCanary(fs: FileSystem, path: string): CanaryFile {
  try {
    const text = findText(fs, path);
    if (text === undefined) return { kind: "none" };
    return { kind: "found", state: CanaryState.parse(JSON.parse(text)) };
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: "unreadable", reason: `${path} is not JSON` };
    if (error instanceof UnusableFileError) return { kind: "unreadable", reason: `${path}: ${error.reason}` };
    if (!(error instanceof z.ZodError)) throw error;
    const issue = error.issues[0];
    return {
      kind: "unreadable",
      reason: cleanLine(`${path} is no state of a canary (${issue?.path.join(".")}: ${issue?.message})`),
    };
  }
}

/** Whether it is still to be watched. */
export function isOpen({ status }: CanaryState): boolean {
  return status === "watching" || status === "paused";
}

/** Whether both are states of one canary. */
export function isSameCanary(one: CanaryState, other: CanaryState): boolean {
  return one.runId === other.runId && one.digest === other.digest;
}

/**
 * Reads the state, changes it and writes it back durably, while no other process does: of an operator's word and a
 * watcher's round none is lost. The lock beside the file is held for that long alone.
 *
 * @param change gives the new state, or `undefined` to leave what is there
 * @returns what was there, and what `change` gave
 * @throws {DiskError} when the disk takes no more; the old state stays
 */
export function updateCanary<Change extends CanaryState | undefined>(
  fs: FileSystem,
  path: string,
  change: (found: CanaryFile) => Change,
): { readonly found: CanaryFile; readonly written: Change } {
  return whileLocked(fs, path, () => {
    const found = readCanary(fs, path);
    const written = change(found);
    if (written !== undefined) {
      clearWay(fs, path);
      replaceFile(fs, path, `${JSON.stringify(written, undefined, 2)}\n`);
    }
    return { found, written };
  });
}

/** Forgets the canary, as when another release was activated without one. Who watches it ends with `superseded`. */
export function clearCanary(fs: FileSystem, path: string): void {
  // The lock would need a file of its own, which a full disk may not take.
  if (findEntry(fs, path) === undefined) return;
  whileLocked(fs, path, () => removeState(fs, path));
}
