import { join } from "node:path";
import { isoSeconds } from "../core/clock.ts";
import { RefusedError } from "../core/errors.ts";
import { findEntry } from "../core/files.ts";
import type { Digest } from "../release/manifest.ts";
import { PUBLISHING_COMMANDS, type RunRecord } from "../store/history.ts";
import { readPointer } from "../store/pointers.ts";
import { runsNewestFirst } from "../store/runs_newest_first.ts";
import type { Store } from "../store/store.ts";

/** The run that made a release active. */
export type Activation = Pick<
  RunRecord,
  "runId" | "command" | "outcome" | "host" | "carrier" | "revision" | "error"
>;

/** A period in which consumers saw one release. */
export interface ActivePeriod {
  readonly release: Digest;
  readonly sequence: number | null;
  /** When it became active; `null` if the history does not say. */
  readonly from: string | null;
  /** The earliest time at which it is known to be active: its beginning, if that is known. */
  readonly seenAt: string;
  /** When another release replaced it; `null` while it is active, or if the history does not say. */
  readonly until: string | null;
  readonly isActive: boolean;
  /** How it became active; `null` if the history does not say. */
  readonly by: Activation | null;
}

/**
 * Yields the periods of the active releases, newest first, from the history. Needs read permission.
 *
 * A release that a run activated and rolled back has a period of its own. If the history lacks an activation, the period
 * has no beginning, and the one before it no end.
 */
export function* activePeriods(store: Store): Generator<ActivePeriod> {
  const current = readCurrent(store);
  let newer: ActivePeriod | undefined;
  let group: Sighting[] = [];
  const close = (): ActivePeriod => newer = periodOf(group, newer, current?.release);
  for (const sighting of sightings(store, current)) {
    const [newest] = group;
    if (newest !== undefined && newest.release !== sighting.release) {
      yield close();
      group = [];
    }
    // The newest one and the oldest one say everything.
    group = [...group.slice(0, 1), sighting];
  }
  if (group.length > 0) yield close();
}

/** A release that was active at a time. */
interface Sighting {
  readonly release: Digest;
  readonly sequence: number | undefined;
  readonly atMs: number;
  /** The run that activated it then; `undefined` if it was active already. */
  readonly activation: Activation | undefined;
}

/** @param group what was seen of one release, newest first; the period after it is `newer` */
function periodOf(
  group: readonly Sighting[],
  newer: ActivePeriod | undefined,
  current: Digest | undefined,
): ActivePeriod {
  const [newest, oldest = newest] = group;
  if (newest === undefined || oldest === undefined) throw new TypeError("a period without a sighting");
  const { release, atMs, activation } = oldest;
  const seenAt = isoSeconds(new Date(atMs));
  return {
    release,
    sequence: newest.sequence ?? oldest.sequence ?? null,
    from: activation === undefined ? null : seenAt,
    seenAt,
    until: newer?.from ?? null,
    isActive: newer === undefined && release === current,
    by: activation ?? null,
  };
}

/** Returns the active release, and since when its pointer is what it is. */
function readCurrent(store: Store): Sighting | undefined {
  try {
    const release = readPointer(store, "current");
    const mtime = findEntry(store.fs, join(store.root, "current"))?.mtime;
    if (release === undefined) return undefined;
    return { release, sequence: undefined, atMs: mtime?.getTime() ?? 0, activation: undefined };
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    store.warn(error.message);
    return undefined;
  }
}

/** Commands whose records name a release that they do not activate. */
const NAMING_COMMANDS: readonly string[] = [...PUBLISHING_COMMANDS, "quarantine"];

/** Yields what was active, newest first. */
function* sightings(store: Store, current: Sighting | undefined): Generator<Sighting> {
  if (current !== undefined) yield current;
  // Most runs of a long history change nothing.
  for (const run of runsNewestFirst(store, (line) => !line.includes('"outcome":"unchanged"'))) {
    if (run === "unreadable" || NAMING_COMMANDS.includes(run.command)) continue;
    // A record may have an invalid time: another program wrote it.
    for (const seen of sightingsOf(run)) if (!Number.isNaN(new Date(seen.atMs).getTime())) yield seen;
  }
}

/** Yields what was active during a run, newest first. */
function* sightingsOf(run: RunRecord): Generator<Sighting> {
  const { release, previous, sequence, outcome } = run;
  if (release === undefined) return;
  const startMs = Date.parse(run.startedAt);
  const seen = (digest: Digest): Sighting => ({
    release: digest,
    sequence: digest === release ? sequence : undefined,
    atMs: startMs,
    activation: undefined,
  });
  const isSwitch = outcome === "activated" || (outcome === "rolled-back" && previous !== release) ||
    run.error?.code === "RELOAD_FAILED";
  if (!isSwitch) return yield seen(release);
  yield { ...seen(release), atMs: switchedMs(run), activation: activationOf(run) };
  if (previous === undefined || previous === release) return;
  const activatedMs = outcome === "rolled-back" ? endOfStep(run, "activate") : undefined;
  if (activatedMs === undefined) return yield seen(previous);
  // The run had activated the release that it rolled back from.
  const activation = { ...activationOf(run), outcome: "activated" } as const;
  yield { ...seen(previous), atMs: activatedMs, activation: withoutError(activation) };
  yield seen(release);
}

/** Returns when a run activated its release. */
function switchedMs(run: RunRecord): number {
  const { outcome, command, startedAt, durationMs } = run;
  const startMs = Date.parse(startedAt);
  if (outcome === "activated") return endOfStep(run, "activate") ?? startMs;
  // A rollback by an operator activates first; the others end with it.
  return command === "rollback" ? endOfStep(run, "verify") ?? startMs : startMs + durationMs;
}

function endOfStep({ startedAt, steps = [] }: RunRecord, wanted: string): number | undefined {
  const step = steps.findLast(({ name }) => name === wanted);
  return step === undefined ? undefined : Date.parse(startedAt) + step.startMs + step.durationMs;
}

function activationOf(run: RunRecord): Activation {
  const { runId, command, outcome, host, carrier, revision, error } = run;
  return {
    runId,
    command,
    outcome,
    host,
    ...(carrier === undefined ? {} : { carrier }),
    ...(revision === undefined ? {} : { revision }),
    ...(error === undefined ? {} : { error }),
  };
}

function withoutError({ error: _ofRollback, ...activation }: Activation): Activation {
  return activation;
}
