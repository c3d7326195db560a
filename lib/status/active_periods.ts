import { join } from "node:path";
import { isoSeconds } from "../core/clock.ts";
import { RefusedError } from "../core/errors.ts";
import { findEntry } from "../core/files.ts";
import type { Digest } from "../release/manifest.ts";
import { PUBLISHING_COMMANDS, type RunActivation, type RunRecord } from "../store/history.ts";
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
  const { release, previous, sequence } = run;
  if (release === undefined) return;
  const startMs = Date.parse(run.startedAt);
  const seen = (digest: Digest): Sighting => ({
    release: digest,
    sequence: digest === release ? sequence : undefined,
    atMs: startMs,
    activation: undefined,
  });
  const activated = activatedBy(run);
  if (activated === undefined && !isSwitch(run)) return yield seen(release);
  if (activated === undefined || activated.release === release) {
    yield { ...seen(release), atMs: switchedMs(run), activation: activationOf(run, activated) };
    if (previous !== undefined && previous !== release) yield seen(previous);
    return;
  }
  // The run activated a release and rolled back from it.
  yield { ...seen(release), atMs: endOf(run), activation: activationOf(run) };
  const activation = withoutError({ ...activationOf(run, activated), outcome: "activated" });
  yield { release: activated.release, sequence: activated.sequence, atMs: switchedMs(run), activation };
  yield seen(release);
}

/** Returns whether a run that activated no release by itself changed the active one. */
function isSwitch({ command, outcome, release, previous, steps = [], error }: RunRecord): boolean {
  if (outcome === "activated" || (outcome === "rolled-back" && previous !== release)) return true;
  // Consumers cannot load the release that an operator rolled back to, or that an earlier version activated.
  const isActivated = command === "rollback" || steps.some(({ name }) => name === "activate");
  return error?.code === "RELOAD_FAILED" && isActivated;
}

/** Returns the release that a run activated and that its outcome does not say. */
function activatedBy({ outcome, previous, activated, steps = [], withdrawal }: RunRecord):
  | (Pick<RunActivation, "release"> & Partial<RunActivation>)
  | undefined {
  if (activated !== undefined) return activated;
  // Records of version 0.1.0 lack the field. A rollback from a withdrawn release activated that one earlier.
  const isRolledBack = outcome === "rolled-back" && previous !== undefined && withdrawal === undefined;
  return isRolledBack && steps.some(({ name }) => name === "activate") ? { release: previous } : undefined;
}

/** Returns when a run activated a release. */
function switchedMs(run: RunRecord): number {
  const { outcome, command, startedAt } = run;
  const activatedMs = endOfStep(run, "activate");
  if (activatedMs !== undefined) return activatedMs;
  if (outcome === "activated") return Date.parse(startedAt);
  // A rollback by an operator activates first; the others end with it.
  return command === "rollback" ? endOfStep(run, "verify") ?? Date.parse(startedAt) : endOf(run);
}

function endOf({ startedAt, durationMs }: RunRecord): number {
  return Date.parse(startedAt) + durationMs;
}

function endOfStep({ startedAt, steps = [] }: RunRecord, wanted: string): number | undefined {
  const step = steps.findLast(({ name }) => name === wanted);
  return step === undefined ? undefined : Date.parse(startedAt) + step.startMs + step.durationMs;
}

/** @param origin of the release that the run activated; the record's by default */
function activationOf(run: RunRecord, origin: Pick<RunRecord, "carrier" | "revision"> = run): Activation {
  const { runId, command, outcome, host, error } = run;
  const { carrier, revision } = origin;
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
