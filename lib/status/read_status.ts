import { join } from "node:path";
import type { ModelSync } from "../config/schema.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { findEntry } from "../core/files.ts";
import { zoneName } from "../core/time_zone.ts";
import { canaryFault, openCanary } from "../canary/find_canary.ts";
import { type Digest, totalBytes } from "../release/manifest.ts";
import type { CanaryDescription, RunningRun, Schedule, Status, StatusRelease } from "../wire/schema.ts";
import { configuredRoles, nextStart, pullCommand, type Role, ROLES, roleSchedule } from "../config/roles.ts";
import { type ActiveRelease, namePull, readActive, readPointer } from "../store/pointers.ts";
import { problemSeenByConsumers } from "../store/consumer_view.ts";
import { readDaemons } from "../store/daemons.ts";
import {
  hasField,
  HISTORY_LOOKBACK,
  newestRuns,
  type Outcome,
  PUBLISHING_COMMANDS,
  readHistory,
} from "../store/history.ts";
import { inspectModelFolder } from "../store/model_folder.ts";
import { type Pauses, readPauses } from "../store/pauses.ts";
import { readQuarantine } from "../store/quarantine.ts";
import { listReleases, type StoredRelease } from "../store/releases.ts";
import { findWriterOf } from "../store/revisions.ts";
import { readMarks, type RunMark } from "../store/running.ts";
import { findDueTime } from "../store/schedule_state.ts";
import type { Store, StoreLocation } from "../store/store.ts";
import { listWithdrawn } from "../store/withdrawals.ts";

/** The inputs of {@link readStatus}. */
export interface StatusSource {
  readonly settings: ModelSync;
  readonly location: StoreLocation;
  /** `undefined` before the first pull. */
  readonly store: Store | undefined;
  /** The roles to show besides those of running daemons. Default: the git roles and the configured ones. */
  readonly roles?: readonly Role[] | undefined;
  /** A daemon's `--at`, which replaces the configured times. */
  readonly at?: string | undefined;
}

/**
 * Returns the state of a model folder, with the last `runsMax` runs. Changes nothing and takes no lock. An unreadable
 * active release, quarantine or canary is reported as a fault; the rest of the status is complete.
 */
export async function readStatus(
  context: Pick<Context, "fs" | "clock" | "freeBytes">,
  source: StatusSource,
  runsMax: number,
): Promise<Status> {
  const { settings, store, at } = source;
  const now = context.clock.now();
  const paused = store === undefined ? {} : readPauses(store, now);
  const daemons = store === undefined ? [] : await readDaemons(context, store);
  const marks = store === undefined ? undefined : await readMarks(store);
  const running = (marks?.running ?? []).map(shownRun);
  const roles = shownRoles(source, daemons);
  const timing = {
    next: nextRuns(source, roles, { daemons, running }, now),
    schedules: schedulesOf(settings, roles, paused, at),
    paused,
    daemons,
  };
  if (store === undefined) return { ...emptyStatus(source), ...timing };
  // First the pointers: a release is in the store before a pointer names it.
  const active = readActive(store);
  const previous = readPointer(store, "previous");
  const releases = listReleases(store).map(shown);
  const named = (digest: Digest | undefined) => releases.find((one) => one.digest === digest) ?? null;
  const current = active.kind === "whole" ? named(active.manifest.digest) : null;
  return {
    modelsDir: store.modelsDir,
    stateDir: store.root,
    modelFolder: inspectModelFolder(store).kind,
    modelFolderFault: modelFolderFault(store, active) ?? null,
    current,
    currentFault: active.kind === "damaged"
      ? `${active.error.message}; ${namePull(active.error.hint ?? "", pullCommand(roles))}`
      : null,
    previous: named(previous),
    releases,
    otherWriter: (current === null ? undefined : findWriterOf(store, current.digest)) ?? null,
    activatedAt: current === null ? null : activationTime(store, current.digest),
    runs: readHistory(store, runsMax),
    ...shownQuarantine(store),
    canary: active.kind === "damaged" ? null : await shownCanary(settings, store) ?? null,
    canaryFault: canaryFault(store) ?? null,
    running,
    interrupted: unrecorded(store, marks?.interrupted ?? []).map(shownRun),
    freeBytes: await context.freeBytes(store.root) ?? null,
    ...timing,
  };
}

function emptyStatus({ location }: StatusSource): Omit<Status, "next" | "schedules" | "paused" | "daemons"> {
  return {
    modelsDir: location.modelsDir,
    stateDir: null,
    modelFolder: "unknown",
    modelFolderFault: null,
    current: null,
    currentFault: null,
    previous: null,
    releases: [],
    otherWriter: null,
    activatedAt: null,
    runs: [],
    quarantine: [],
    quarantineFault: null,
    withdrawn: [],
    canary: null,
    canaryFault: null,
    running: [],
    interrupted: [],
    freeBytes: null,
  };
}

function modelFolderFault(store: Store, active: ActiveRelease): string | undefined {
  return active.kind === "whole" ? problemSeenByConsumers(store, active.manifest) : undefined;
}

function shownQuarantine(store: Store): Pick<Status, "quarantine" | "quarantineFault" | "withdrawn"> {
  try {
    return { quarantine: readQuarantine(store), quarantineFault: null, withdrawn: listWithdrawn(store) };
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return { quarantine: [], quarantineFault: `${error.message}; ${error.hint}`, withdrawn: [] };
  }
}

/** Returns the canary of the active release. The code that describes it is loaded only where there is one. */
async function shownCanary(settings: ModelSync, store: Store): Promise<CanaryDescription | undefined> {
  const canary = openCanary(store);
  if (canary === undefined) return undefined;
  const { describeCanary } = await import("../canary/describe_canary.ts");
  return describeCanary(canary, settings.activation.canary);
}

/** Returns the marks of runs that are not on record. A killed run may have been recorded before its end. */
function unrecorded(store: Store, marks: readonly RunMark[]): readonly RunMark[] {
  if (marks.length === 0) return marks;
  const recorded = new Set(readHistory(store, HISTORY_LOOKBACK).map(({ runId }) => runId));
  return marks.filter(({ runId }) => !recorded.has(runId));
}

/** Outcomes of runs that activate a release. */
const ACTIVATING: readonly Outcome[] = ["activated", "rolled-back"];

/** Returns the time of the activation. Without its record it is the time of the pointer, which activations recreate. */
function activationTime(store: Store, digest: Digest): string | null {
  const mayActivate = (line: string) => ACTIVATING.some((outcome) => hasField(line, "outcome", outcome));
  const activating = newestRuns(store, HISTORY_LOOKBACK, mayActivate).find(({ command, outcome, release }) =>
    release === digest && ACTIVATING.includes(outcome) && !PUBLISHING_COMMANDS.includes(command)
  );
  if (activating !== undefined) return activating.startedAt;
  const pointedAt = findEntry(store.fs, join(store.root, "current"))?.mtime ?? null;
  return pointedAt === null ? null : isoSeconds(pointedAt);
}

function shown({ manifest }: StoredRelease): StatusRelease {
  const { digest, sequence, createdAt, files } = manifest;
  return { digest, sequence, createdAt, files: files.length, bytes: totalBytes(files) };
}

function shownRun({ runId, command, startedAt, step }: RunMark): RunningRun {
  return { runId, command, startedAt, step: step ?? null };
}

/** Returns the roles to show. A running daemon may have roles whose carrier only its options name. */
function shownRoles({ settings, roles }: StatusSource, daemons: Status["daemons"]): Role[] {
  const wanted = roles ?? ["publisher", "client", ...configuredRoles(settings)];
  const shown = new Set<string>([...wanted, ...daemons.map(({ role }) => role)]);
  return ROLES.filter((role) => shown.has(role));
}

/**
 * Returns the next run of each role. A time that has passed stays while a daemon has the role and no run has begun
 * since: otherwise a run that did not start would be hidden.
 */
function nextRuns(
  { settings, store, at }: StatusSource,
  roles: readonly Role[],
  { daemons, running }: Pick<Status, "daemons" | "running">,
  now: Date,
): Status["next"] {
  const hasDaemon = new Set(daemons.map(({ role }) => role));
  const hasBegun = (due: Date) => running.some(({ startedAt }) => Date.parse(startedAt) >= due.getTime());
  return Object.fromEntries(
    roles.map((role) => {
      // A daemon may run at other times than the configured ones.
      const due = store === undefined ? undefined : findDueTime(store, role);
      const isKept = due !== undefined && (due > now || (hasDaemon.has(role) && !hasBegun(due)));
      const time = isKept ? due : nextStart(roleSchedule(role, settings, at), now);
      return [role, time?.toISOString() ?? null];
    }),
  );
}

function schedulesOf(
  settings: ModelSync,
  roles: readonly Role[],
  pauses: Pauses,
  at: string | undefined,
): Status["schedules"] {
  const timeZone = settings.time_zone ?? zoneName(undefined);
  return Object.fromEntries(
    roles.map((role): [Role, Schedule] => {
      const { times, splayMs, catchUpMs, deny } = roleSchedule(role, settings, at);
      return [role, {
        times,
        timeZone,
        splaySeconds: splayMs / 1000,
        catchUpSeconds: catchUpMs === Infinity ? null : catchUpMs / 1000,
        deny: deny.map(({ start, durationMs }) => ({ start: start.text, seconds: durationMs / 1000 })),
        paused: pauses[role] ?? null,
      }];
    }),
  );
}
