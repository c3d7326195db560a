import type { Context } from "../core/context.ts";
import { appendHistory, readHistory, type RunRecord } from "../store/history.ts";
import { clearIntent, readIntent } from "../store/intent.ts";
import { findKilled, forgetMark, readMark, type RunMark, sweepMarks } from "../store/running.ts";
import type { Store } from "../store/store.ts";
import { KILLED } from "../store/run_duration.ts";
import type { Recovery } from "./recover.ts";

/** Runs that found the lock held may have written lines in between. */
const LOOKBACK = 50;

const HINT = "check the system's log for the cause: out of memory, a restart, kill -9";

/** Writes the record of a killed run that recovery settled, and clears its intent. */
export function recordRecovery(context: Context, store: Store, recovery: Recovery): void {
  const { runId, command, startedAt } = recovery.run;
  const isFinished = recovery.resolution === "finished";
  const mark = readMark(store, runId);
  append(store, {
    runId,
    command,
    startedAt,
    outcome: isFinished ? "activated" : "interrupted",
    ...livedUntil(mark),
    host: mark?.host ?? context.host,
    ...(recovery.active === undefined ? {} : { release: recovery.active }),
    error: {
      code: KILLED,
      message: `the run was killed${during(mark)}; the next run has ${recovery.resolution} its work`,
      hint: HINT,
    },
  });
  clearIntent(store);
  forgetMark(store, runId);
}

/**
 * Writes the records of the other killed runs. A run that left an intent is recorded by the run that settles it.
 *
 * @param own the run that asks
 */
export async function recordKilled(context: Context, store: Store, own?: string): Promise<void> {
  const announced = readIntent(store)?.runId;
  for await (const killed of findKilled(store, own)) {
    using run = killed;
    if (run.runId === announced) continue;
    const { mark } = run;
    append(store, {
      runId: run.runId,
      command: mark?.command ?? "unknown",
      startedAt: mark?.startedAt ?? startOf(run.runId) ?? "1970-01-01T00:00:00Z",
      outcome: "interrupted",
      ...livedUntil(mark),
      host: mark?.host ?? context.host,
      error: { code: KILLED, message: `the run was killed${during(mark)}`, hint: HINT },
    });
    run.forget();
  }
  sweepMarks(store, context.clock.now());
}

/** Appends the record, unless the run was killed just after it had written its own. */
function append(store: Store, record: RunRecord): void {
  if (!readHistory(store, LOOKBACK).some(({ runId }) => runId === record.runId)) appendHistory(store, record);
}

/** Run ids begin with the start time, without separators. */
function startOf(runId: string): string | undefined {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-/.exec(runId) ?? [];
  return year === undefined ? undefined : `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
}

function during(mark: RunMark | undefined): string {
  return mark?.step === undefined ? "" : ` in its step "${mark.step}"`;
}

/** Returns the known duration: until the last step began. How long that step took is unknown. */
function livedUntil(mark: RunMark | undefined): Pick<RunRecord, "durationMs" | "steps"> {
  if (mark === undefined) return { durationMs: 0 };
  const durationMs = Math.max(0, Date.parse(mark.at) - Date.parse(mark.startedAt) || 0);
  return { durationMs, ...(mark.steps === undefined ? {} : { steps: mark.steps }) };
}
