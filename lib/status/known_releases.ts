import { openCanary } from "../canary/find_canary.ts";
import { RefusedError } from "../core/errors.ts";
import { type Carrier, type Digest, type Manifest, SEQUENCE_MAX, totalBytes } from "../release/manifest.ts";
import { PUBLISHING_COMMANDS, type RunRecord } from "../store/history.ts";
import { readActive, readPointer } from "../store/pointers.ts";
import { type QuarantineEntry, readQuarantine } from "../store/quarantine.ts";
import { findRelease, listReleaseNames } from "../store/releases.ts";
import { runsNewestFirst } from "../store/runs_newest_first.ts";
import type { Store } from "../store/store.ts";
import { type KnownWithdrawal, listWithdrawn } from "../store/withdrawals.ts";
import { type ReleaseFacts, type ReleaseState, releaseState } from "./release_state.ts";

/** A release that this machine holds, held or published. */
export interface KnownRelease {
  readonly digest: Digest;
  readonly sequence: number | null;
  readonly state: ReleaseState;
  /** When it was last activated, or published, here; `null` if that is not on record. */
  readonly at: string | null;
  /** When its manifest was created; `null` if the store no longer holds it. */
  readonly createdAt: string | null;
  readonly carrier: Carrier | null;
  /** The carrier's name for it, such as a commit. */
  readonly revision: string | null;
  /** The hint of the key whose signature a run here made or verified. */
  readonly signer: string | null;
  readonly files: number | null;
  readonly bytes: number | null;
  readonly quarantine: Pick<QuarantineEntry, "at" | "reason"> | null;
  /** When and why its publisher withdrew it. */
  readonly withdrawal: Pick<KnownWithdrawal, "at" | "reason"> | null;
}

/** The records that are read: those of about a second. Older releases than theirs are known only if the store holds them. */
const RECORDS_MAX = 20_000;

/**
 * Returns every known release, newest first: by sequence, then by time. Reads the store and the history, and changes
 * nothing. Warns of a damaged quarantine, list of withdrawals or pointer, and goes on without it.
 */
export function knownReleases(store: Store): KnownRelease[] {
  const records = recordsByRelease(store);
  const stored = new Map(
    listReleaseNames(store).map((digest) => [digest, findRelease(store, digest)?.manifest] as const),
  );
  const quarantine = byDigest(unlessDamaged(store, () => readQuarantine(store)));
  const withdrawals = byDigest(unlessDamaged(store, () => listWithdrawn(store)));
  const active = activeDigest(store);
  const previous = readPointer(store, "previous");
  const inCanary = active === undefined ? undefined : openCanary(store)?.digest;
  const digests = new Set([...stored.keys(), ...records.keys(), ...quarantine.keys(), ...withdrawals.keys()]);
  return Array.from(digests, (digest) => {
    const manifest = stored.get(digest);
    const record = records.get(digest);
    return describe(digest, manifest, record, {
      isActive: digest === active,
      isPrevious: digest === previous,
      isInCanary: digest === inCanary,
      inStore: manifest !== undefined ? "whole" : stored.has(digest) ? "partial" : "no",
      isPublished: record !== undefined && PUBLISHING_COMMANDS.includes(record.command),
      quarantine: quarantine.get(digest),
      withdrawal: withdrawals.get(digest),
    });
  }).sort(newestFirst);
}

/** Returns the digest of the active release. Warns if the release is damaged. */
function activeDigest(store: Store): Digest | undefined {
  const active = readActive(store);
  if (active.kind === "none") return undefined;
  if (active.kind === "whole") return active.manifest.digest;
  store.warn(`${active.error.message}; ${active.error.hint}`);
  return active.digest;
}

/** Returns `undefined` with a warning if a part of the store is damaged. */
function unlessDamaged<Value>(store: Store, read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    store.warn(`${error.message}; ${error.hint}`);
    return undefined;
  }
}

function byDigest<Entry extends { readonly digest: Digest }>(
  entries: readonly Entry[] = [],
): ReadonlyMap<Digest, Entry> {
  return new Map(entries.map((entry) => [entry.digest, entry]));
}

/** Newest first. Releases without a sequence are last. */
function newestFirst(one: KnownRelease, other: KnownRelease): number {
  return (other.sequence ?? -1) - (one.sequence ?? -1) ||
    (other.createdAt ?? other.at ?? "").localeCompare(one.createdAt ?? one.at ?? "") ||
    (one.digest < other.digest ? -1 : 1);
}

function describe(
  digest: Digest,
  manifest: Manifest | undefined,
  record: RunRecord | undefined,
  facts: ReleaseFacts,
): KnownRelease {
  const { quarantine, withdrawal } = facts;
  // A release that the store did not hold is quarantined under every sequence.
  const quarantined = (quarantine?.sequence ?? Infinity) > SEQUENCE_MAX ? undefined : quarantine?.sequence;
  return {
    digest,
    sequence: manifest?.sequence ?? record?.sequence ?? quarantined ?? null,
    state: releaseState(facts),
    at: record?.startedAt ?? null,
    createdAt: manifest?.createdAt ?? null,
    carrier: record?.carrier ?? manifest?.origin.carrier ?? null,
    revision: record?.revision ?? manifest?.origin.revision ?? null,
    signer: record?.signer ?? null,
    files: manifest?.files.length ?? record?.files ?? null,
    bytes: manifest === undefined ? record?.bytes ?? null : totalBytes(manifest.files),
    quarantine: quarantine === undefined ? null : { at: quarantine.at, reason: quarantine.reason },
    withdrawal: withdrawal === undefined ? null : withdrawnAt(withdrawal),
  };
}

function withdrawnAt({ at, reason }: KnownWithdrawal): Pick<KnownWithdrawal, "at" | "reason"> {
  return { at, ...(reason === undefined ? {} : { reason }) };
}

/** Outcomes of runs that activated or published their release. */
const NEWS: readonly string[] = ["activated", "rolled-back", "published", "trained"];

/** Returns the newest run that activated or published each release. Older runs tell what that one does not. */
function recordsByRelease(store: Store): ReadonlyMap<Digest, RunRecord> {
  const records = new Map<Digest, RunRecord>();
  let read = 0;
  for (const run of runsNewestFirst(store, (line) => NEWS.some((outcome) => line.includes(`"${outcome}"`)))) {
    if (++read > RECORDS_MAX) break;
    if (run === "unreadable" || run.release === undefined || !NEWS.includes(run.outcome)) continue;
    const newer = records.get(run.release);
    records.set(run.release, newer === undefined ? run : withOlder(newer, run));
  }
  return records;
}

/** Returns a record completed from an older one of the same release. An archive of a release tells nothing about its source. */
function withOlder(newer: RunRecord, older: RunRecord): RunRecord {
  const [first, second] = newer.outcome === "trained" ? [older, newer] : [newer, older];
  if (first.carrier === undefined) return { ...second, ...first };
  // A revision belongs to its carrier.
  const { revision: _revision, ...rest } = second;
  return { ...rest, ...first };
}
