import * as z from "zod";
import { CleanString } from "../core/clean_string.ts";
import { cleanLine } from "../core/clean_text.ts";
import { type FileSystem, findEntry, findText, UnusableFileError } from "../core/files.ts";
import { StateFile } from "../core/state_file.ts";
import { whileLocked } from "../core/while_locked.ts";
import { Digest } from "../release/manifest.ts";

/** The samples of a metric that the state keeps for display. The judgement needs none of them. */
export const SAMPLES_KEPT = 20;

const Reading = z.lazy(() =>
  z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("value"), value: z.number() }),
    z.strictObject({ kind: z.literal("nan") }),
    z.strictObject({ kind: z.literal("no-data"), reason: CleanString }),
  ])
);

const MetricState = z.lazy(() =>
  z.strictObject({
    name: CleanString,
    /** The source of the baseline, as a hash: addresses and commands may hold secrets. */
    source: z.string(),
    /** The reading before the swap. */
    baseline: Reading,
    /** The number of degraded samples. */
    failures: z.number().int().min(0),
    /** The last {@link SAMPLES_KEPT}, oldest first. */
    samples: z.array(z.strictObject({ at: CleanString, reading: Reading })),
  })
);
/** The state of one metric. */
export type MetricState = Readonly<z.infer<typeof MetricState>>;

/** `watching` and `paused` are in canary. The others are verdicts; an operator gives `aborted` and `promoted`. */
const CANARY_STATUSES = ["watching", "paused", "passed", "degraded", "aborted", "promoted"] as const;
export type CanaryStatus = (typeof CANARY_STATUSES)[number];

const Milliseconds = z.lazy(() => z.number().min(0));

const CanaryState = z.lazy(() =>
  z.strictObject({
    schema: z.literal(1),
    /** The release in canary, and the one that a rollback activates. */
    digest: Digest,
    previous: Digest,
    sequence: z.number(),
    /** The run that activated it. With the digest, it identifies the canary. */
    runId: CleanString,
    startedAt: CleanString,
    durationMs: Milliseconds,
    intervalMs: Milliseconds,
    /** The watched time. Only this ends the canary, never a wall clock. */
    watchedMs: Milliseconds,
    /** The number of sample rounds. By it, two processes notice that they judged the same round. */
    rounds: z.number().int().min(0),
    status: z.enum(CANARY_STATUSES),
    /** The reason of the status, for people. */
    reason: CleanString,
    statusSince: CleanString,
    /** When a run acted on the verdict; `null` until then. */
    concludedAt: z.string().nullable(),
    metrics: z.array(MetricState),
  })
);
/** The state of a canary on disk. */
export type CanaryState = Readonly<z.infer<typeof CanaryState>>;

/** The content of the state file. */
export type CanaryFile =
  | { readonly kind: "none" }
  | { readonly kind: "found"; readonly state: CanaryState }
  /** Damaged, or written by a later version. */
  | { readonly kind: "unreadable"; readonly reason: string };

/** The hint for an unreadable state: with it, it is unknown whether the active release was in canary. */
export const UNREADABLE_HINT =
  "remove the file to keep the active release without a canary, or roll back with model-sync rollback";

/** Reads the state at `path`. Damage is returned, not thrown. */
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
      reason: cleanLine(`${path} is not the state of a canary (${issue?.path.join(".")}: ${issue?.message})`),
    };
  }
}

/** Returns whether the release is still in canary. */
export function isOpen({ status }: CanaryState): boolean {
  return status === "watching" || status === "paused";
}

/** Returns whether both are states of one canary. */
export function isSameCanary(one: CanaryState, other: CanaryState): boolean {
  return one.runId === other.runId && one.digest === other.digest;
}

/**
 * Reads the state, changes it and writes it back durably, under the lock beside the file: neither an operator's verdict
 * nor a watcher's round gets lost.
 *
 * @param change returns the new state, or `undefined` to keep the old one
 * @returns the old content, and the result of `change`
 * @throws {DiskError} when the disk is full; the old state stays
 */
export function updateCanary<Change extends CanaryState | undefined>(
  fs: FileSystem,
  path: string,
  change: (found: CanaryFile) => Change,
): { readonly found: CanaryFile; readonly written: Change } {
  return whileLocked(fs, path, () => {
    const found = readCanary(fs, path);
    const written = change(found);
    if (written !== undefined) stateFile(fs, path).replace(written);
    return { found, written };
  });
}

/** Removes the canary, as when a release was activated without one. Its watchers end with `superseded`. */
export function clearCanary(fs: FileSystem, path: string): void {
  // Without a state no lock is taken: its file would need space on a full disk.
  if (findEntry(fs, path) === undefined) return;
  whileLocked(fs, path, () => stateFile(fs, path).remove());
}

function stateFile(fs: FileSystem, path: string): StateFile<CanaryState> {
  return new StateFile<CanaryState>(fs, path, CanaryState, { isIndented: true });
}
