import { cleanLine } from "../../lib/core/clean_text.ts";
import type { EventOf, Run, Status } from "../../lib/wire/schema.ts";
import type { Report, RoleRow, RunRow, StripRun } from "./rows.ts";

/**
 * Creates rows from events. A node's row must fit into a value of 64 KiB, so texts are cut. The complete texts are in
 * the details of the run or the heartbeat.
 */

/** Commands, outcomes and similar words. Those of model-sync have at most 20 characters. */
const WORD_CHARS_MAX = 40;
const REASON_CHARS_MAX = 300;
const HEX_CHARS_MAX = 80;
/** Times of day of a role that a table shows. */
const TIMES_MAX = 6;
const TIME_CHARS_MAX = 60;
/** Six exist. */
const ROLES_MAX = 8;
/** The next run records them all, so there are rarely more than one for each role. */
const INTERRUPTED_MAX = 5;
/** As many as a heartbeat lists. */
export const QUARANTINE_MAX = 40;

/** Returns a time from the wire in UTC, limited to the years that keys can sort. */
export function utc(time: string | number): string {
  const ms = typeof time === "number" ? time : Date.parse(time);
  return new Date(Math.min(Math.max(ms, 0), LAST_MS)).toISOString();
}

/** Returns an unchecked time from the wire in UTC; `undefined` if it is not a time. */
export function knownTime(text: string | null): string | undefined {
  return text === null || Number.isNaN(Date.parse(text)) ? undefined : utc(text);
}

/** Returns when a run ended. */
export function endOf(
  { startedAt, durationMs }: { readonly startedAt: string; readonly durationMs: number },
): string {
  return utc(Date.parse(startedAt) + durationMs);
}

/** The end of the years that keys can sort. */
const LAST_MS = Date.parse("9999-12-31T23:59:59.999Z");

/** Returns the row of a run for lists. */
export function runRow(node: string, run: Run): RunRow {
  const { command, outcome, startedAt, error, carrier } = run;
  const { runId, durationMs, release, previous, sequence, files, bytes, writtenBytes, changed } = run;
  const counts = { sequence, files, bytes, writtenBytes, changed };
  return {
    node,
    runId,
    command: word(command),
    outcome: word(outcome),
    startedAt: utc(startedAt),
    durationMs,
    ...(carrier === undefined ? {} : { carrier: word(carrier) }),
    ...(release === undefined ? {} : { release }),
    ...(previous === undefined ? {} : { previous }),
    ...known(counts),
    ...(error === undefined ? {} : { error: { code: word(error.code), message: reason(error.message) } }),
  };
}

/** Returns a run for a node's strip. */
export function stripRun({ runId, command, outcome, startedAt, durationMs }: RunRow): StripRun {
  return { runId, command, outcome, startedAt, durationMs };
}

/** Returns the part of a heartbeat that the fleet page needs. */
export function reportOf({ time, data }: EventOf<"heartbeat">, receivedAt: string): Report {
  const { status, version, configFingerprint, intervalSeconds } = data;
  const { canary, currentFault, modelFolderFault, quarantineFault, canaryFault } = status;
  return {
    at: utc(time),
    receivedAt,
    version: word(version),
    configFingerprint: word(configFingerprint),
    intervalSeconds,
    roles: rolesOf(status),
    canary: canary === null ? null : {
      digest: canary.digest,
      status: word(canary.status),
      reason: reason(canary.reason),
      startedAt: knownTime(canary.startedAt) ?? utc(time),
      leftMs: canary.leftMs,
    },
    quarantine: keptQuarantine(status).map(({ digest }) => digest),
    ...withdrawnOf(status),
    ...interruptedOf(status),
    freeBytes: status.freeBytes,
    fault: reason(currentFault ?? modelFolderFault ?? quarantineFault ?? canaryFault ?? "") || null,
  };
}

/** Returns the newest withdrawn releases that no operator activated by force; nothing where there are none. */
function withdrawnOf({ withdrawn = [] }: Status): Pick<Report, "withdrawn"> {
  const digests = withdrawn.filter(({ isOverridden }) => isOverridden !== true).map(({ digest }) => digest);
  return digests.length === 0 ? {} : { withdrawn: digests.slice(-QUARANTINE_MAX) };
}

/** Returns the newest killed runs; nothing where there are none. */
function interruptedOf({ interrupted = [] }: Status): Pick<Report, "interrupted"> {
  const runs = interrupted.slice(-INTERRUPTED_MAX).map(({ command, startedAt, step }) => ({
    command: word(command),
    startedAt: utc(startedAt),
    step: step === null ? null : word(step),
  }));
  return runs.length === 0 ? {} : { interrupted: runs };
}

/** Returns the newest entries of a quarantine. */
export function keptQuarantine({ quarantine }: Status): Status["quarantine"] {
  return quarantine.slice(-QUARANTINE_MAX);
}

/** Returns the roles of a daemon with their pauses. */
function rolesOf({ schedules, next, paused }: Status): RoleRow[] {
  return Object.entries(schedules).slice(0, ROLES_MAX).map(([role, schedule]) => {
    // A role could be named like an inherited property, such as `constructor`.
    const pause = schedule.paused ?? (Object.hasOwn(paused, role) ? paused[role] : undefined);
    const due = (Object.hasOwn(next, role) ? next[role] : undefined) ?? null;
    return {
      role,
      next: due === null ? null : utc(due),
      times: schedule.times.slice(0, TIMES_MAX).map((time) => cleanLine(time, { charsMax: TIME_CHARS_MAX })),
      timeZone: cleanLine(schedule.timeZone, { charsMax: TIME_CHARS_MAX }),
      splaySeconds: schedule.splaySeconds,
      pause: pause === undefined ? null : {
        since: utc(pause.since),
        until: pause.until === null ? null : utc(pause.until),
        ...(pause.reason === undefined ? {} : { reason: reason(pause.reason) }),
      },
    };
  });
}

/** Returns a word, cut to its maximum length. */
export function word(text: string): string {
  return cleanLine(text, { charsMax: WORD_CHARS_MAX });
}

/** Returns a reason, cut to its maximum length. */
export function reason(text: string): string {
  return cleanLine(text, { charsMax: REASON_CHARS_MAX });
}

/** Returns the hex name of a commit or a key, cut to its maximum length. The longest has 64 digits. */
export function hexName(text: string): string {
  return cleanLine(text, { charsMax: HEX_CHARS_MAX });
}

function known<Key extends string>(values: Readonly<Record<Key, number | undefined>>) {
  const found: Partial<Record<Key, number>> = {};
  for (const key in values) {
    const value = values[key];
    if (value !== undefined) found[key] = value;
  }
  return found;
}
