import { z } from "zod";
import { CleanString } from "../core/clean_string.ts";
import { RefusedError } from "../core/errors.ts";
import { StateFile } from "../core/state_file.ts";
import { Digest } from "../release/manifest.ts";
import { withReserve } from "./reserve.ts";
import type { Store } from "./store.ts";

export const QuarantineEntry = z.object({
  digest: Digest,
  /** The sequence under which it was refused; the same files published later are given another chance. */
  sequence: z.number(),
  reason: CleanString,
  at: CleanString,
  /** That consumers had it until it was left for an older one, and that no pull has activated another since. */
  wasLeft: z.boolean().optional(),
});
/** A release that no carrier and no schedule brings back. */
export type QuarantineEntry = Readonly<z.infer<typeof QuarantineEntry>>;

const Quarantine = z.array(QuarantineEntry);

/** A refused release a day for three years. One that is older than all of these is refused as a downgrade anyway. */
const ENTRIES_MAX = 1000;

/** Every quarantined release, oldest first. */
export function readQuarantine(store: Store): readonly QuarantineEntry[] {
  const read = quarantineFile(store).read();
  if (read.kind === "none") return [];
  if (read.kind === "found") return read.value;
  // Taking damage for an empty list would let a refused release back in.
  throw new RefusedError(
    `Cannot read ${store.quarantine}: it is not a list of quarantined releases (${read.reason})`,
    { code: "QUARANTINE_INVALID", hint: `mend it, or remove it to lift every quarantine` },
  );
}

/** The entry that forbids a release, or `undefined`. A later sequence of the same files passes. */
export function findQuarantine(store: Store, digest: Digest, sequence: number): QuarantineEntry | undefined {
  return readQuarantine(store).find((entry) => entry.digest === digest && sequence <= entry.sequence);
}

/** What the quarantine says of a release, whatever its sequence. */
export function findEntryOf(store: Store, digest: Digest): QuarantineEntry | undefined {
  return readQuarantine(store).find((entry) => entry.digest === digest);
}

/** The newest sequence that was left for an older one; what is older still is no way forward. */
export function findLeftSequence(store: Store): number | undefined {
  const left = readQuarantine(store).flatMap((entry) => entry.wasLeft === true ? [entry.sequence] : []);
  return left.length === 0 ? undefined : Math.max(...left);
}

/** Whether a release was left for an older one that is still to be kept. */
export function wasLeft(store: Store, digest: Digest): boolean {
  return readQuarantine(store).some((entry) => entry.digest === digest && entry.wasLeft === true);
}

/** Allows what a pull activated in the place of another, and counts from it again. */
export function acceptPulled(store: Store, digest: Digest): void {
  const entries = readQuarantine(store);
  if (!entries.some((entry) => entry.digest === digest || entry.wasLeft === true)) return;
  write(
    store,
    entries.filter((entry) => entry.digest !== digest).map(({ wasLeft: _counted, ...entry }) => entry),
  );
}

/** Forbids a release. One that was left before counts on as that, whatever else is said of it. */
export function addQuarantine(store: Store, entry: QuarantineEntry): void {
  const left = wasLeft(store, entry.digest) ? { wasLeft: true } : {};
  const others = readQuarantine(store).filter((other) => other.digest !== entry.digest);
  write(store, [...others, { ...left, ...entry }]);
}

/** Allows a release again; whether it had been forbidden. */
export function liftQuarantine(store: Store, digest: Digest): boolean {
  const entries = readQuarantine(store);
  const kept = entries.filter((entry) => entry.digest !== digest);
  if (kept.length === entries.length) return false;
  write(store, kept);
  return true;
}

/** Takes an entry back to what it was, which may be none. */
export function restoreQuarantine(store: Store, digest: Digest, before: QuarantineEntry | undefined): void {
  const entries = readQuarantine(store);
  const others = entries.filter((entry) => entry.digest !== digest);
  if (before === undefined && others.length === entries.length) return;
  write(store, before === undefined ? others : [...others, before]);
}

function write(store: Store, entries: readonly QuarantineEntry[]): void {
  const kept = Quarantine.parse(entries.slice(-ENTRIES_MAX));
  withReserve(store, () => quarantineFile(store).replace(kept));
}

function quarantineFile({ fs, quarantine }: Store): StateFile<z.infer<typeof Quarantine>> {
  return new StateFile(fs, quarantine, Quarantine, { isIndented: true });
}
