import * as z from "zod";
import { CleanString } from "../core/clean_string.ts";
import { RefusedError } from "../core/errors.ts";
import { StateFile } from "../core/state_file.ts";
import { Digest } from "../release/manifest.ts";
import { withReserve } from "./reserve.ts";
import type { Store } from "./store.ts";

export const QuarantineEntry = z.lazy(() =>
  z.object({
    digest: Digest,
    /** The sequence of the refused release. The same files may be published again with a later sequence. */
    sequence: z.number(),
    reason: CleanString,
    at: CleanString,
    /** Whether the release was active until it was rolled back, and no pull has activated another release since. */
    wasLeft: z.boolean().optional(),
    /** Whether it was rolled back because its publisher withdrew it. Then `withdraw --undo` lifts this, too. */
    isWithdrawn: z.boolean().optional(),
  })
);
/** A release that no pull activates again. */
export type QuarantineEntry = Readonly<z.infer<typeof QuarantineEntry>>;

const Quarantine = z.lazy(() => z.array(QuarantineEntry));

/** The sequence of an entry for a release that the store does not hold: every sequence of it is refused. */
export const EVERY_SEQUENCE = Number.MAX_SAFE_INTEGER;

/** One refused release a day for three years. A release that is older than all of these is refused as a downgrade. */
const ENTRIES_MAX = 1000;

/** Returns every quarantined release, oldest first. */
export function readQuarantine(store: Store): readonly QuarantineEntry[] {
  const read = quarantineFile(store).read();
  if (read.kind === "none") return [];
  if (read.kind === "found") return read.value;
  // Reading a damaged list as empty would allow a refused release.
  throw new RefusedError(
    `Cannot read ${store.quarantine}: it is not a list of quarantined releases (${read.reason})`,
    { code: "QUARANTINE_INVALID", hint: `fix it, or remove it to lift every quarantine` },
  );
}

/** Returns the entry that quarantines a release. A later sequence of the same files is not quarantined. */
export function findQuarantine(store: Store, digest: Digest, sequence: number): QuarantineEntry | undefined {
  return readQuarantine(store).find((entry) => entry.digest === digest && sequence <= entry.sequence);
}

/** Returns the entry of a release, whatever its sequence. */
export function findQuarantineEntry(store: Store, digest: Digest): QuarantineEntry | undefined {
  return readQuarantine(store).find((entry) => entry.digest === digest);
}

/** Returns which sequences of a release are quarantined, as words after its name: ` up to sequence 7`; none for all. */
export function upToSequence({ sequence }: Pick<QuarantineEntry, "sequence">): string {
  return sequence === EVERY_SEQUENCE ? "" : ` up to sequence ${sequence}`;
}

/** Returns the entries without those of a withdrawal that is listed, too. */
export function withoutWithdrawn<Entry extends Pick<QuarantineEntry, "digest" | "isWithdrawn">>(
  entries: readonly Entry[],
  withdrawn: readonly { readonly digest: Digest }[],
): readonly Entry[] {
  return entries.filter((entry) =>
    entry.isWithdrawn !== true || withdrawn.every(({ digest }) => digest !== entry.digest)
  );
}

/** Returns the highest sequence that was rolled back. A pull accepts no lower one. */
export function newestRolledBack(store: Store): number | undefined {
  const sequences = readQuarantine(store).flatMap((entry) => entry.wasLeft === true ? [entry.sequence] : []);
  return sequences.length === 0 ? undefined : Math.max(...sequences);
}

/** Returns whether a release was rolled back, and no pull has activated another release since. */
export function wasRolledBack(store: Store, digest: Digest): boolean {
  return readQuarantine(store).some((entry) => entry.digest === digest && entry.wasLeft === true);
}

/** Releases the release that a pull activated from quarantine. Earlier rollbacks no longer count as such. */
export function acceptPulled(store: Store, digest: Digest): void {
  const entries = readQuarantine(store);
  if (!entries.some((entry) => entry.digest === digest || entry.wasLeft === true)) return;
  write(
    store,
    entries.filter((entry) => entry.digest !== digest).map(({ wasLeft: _counted, ...entry }) => entry),
  );
}

/** Quarantines a release. The new entry keeps the mark of an earlier rollback. */
export function addQuarantine(store: Store, entry: QuarantineEntry): void {
  const earlier = wasRolledBack(store, entry.digest) ? { wasLeft: true } : {};
  const others = readQuarantine(store).filter((other) => other.digest !== entry.digest);
  write(store, [...others, { ...earlier, ...entry }]);
}

/** Releases a release from quarantine. @returns whether it was quarantined */
export function liftQuarantine(store: Store, digest: Digest): boolean {
  const entries = readQuarantine(store);
  const kept = entries.filter((entry) => entry.digest !== digest);
  if (kept.length === entries.length) return false;
  write(store, kept);
  return true;
}

/** Sets the entry of a release back to an earlier one, which may be none. */
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
