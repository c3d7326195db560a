import type { NodeRow, Report } from "./rows.ts";
import { endOf, utc } from "./row_values.ts";

/** Clocks that are set by the network differ by less. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

/** A node gives a heartbeat ten seconds to arrive; proxies may hold it for longer. */
const REORDERING_MS = 120_000;

/** Returns whether a clock that is right cannot have named this time yet. */
export function isAhead(at: string, receivedAt: string): boolean {
  return Date.parse(at) - Date.parse(receivedAt) > CLOCK_TOLERANCE_MS;
}

/** Returns how far the node's clock is ahead; 0 within the time that a report may take. */
export function clockAheadMs({ report }: NodeRow): number {
  if (report === null) return 0;
  const aheadMs = Date.parse(report.at) - Date.parse(report.receivedAt);
  return Math.abs(aheadMs) > CLOCK_TOLERANCE_MS ? aheadMs : 0;
}

/**
 * Returns whether a heartbeat is newer than the stored one. By the node's clock as a rule. A node does not send a
 * heartbeat again, so one that arrives later and is older by more than its way can have taken shows that the clock was
 * set back; so does one that arrives minutes later.
 */
export function isNewerReport(report: Report, stored: Report): boolean {
  if (report.at > stored.at) return true;
  const laterMs = Date.parse(report.receivedAt) - Date.parse(stored.receivedAt);
  const olderMs = Date.parse(stored.at) - Date.parse(report.at);
  const halfIntervalMs = Math.min(stored.intervalSeconds * 1000, REORDERING_MS) / 2;
  return laterMs > REORDERING_MS || (olderMs > REORDERING_MS && laterMs > 0 && laterMs >= halfIntervalMs);
}

/** Returns whether a heartbeat that replaces the stored one shows that times in the row came from a wrong clock. */
export function provesClock(report: Report, stored: Report | null): boolean {
  const offMs = Math.abs(Date.parse(report.at) - Date.parse(report.receivedAt));
  return offMs <= CLOCK_TOLERANCE_MS || (stored !== null && report.at < stored.at);
}

/**
 * Returns the row without times after `at`, which came from a clock that was ahead. What happened then counts as having
 * ended at `at`: the run stays visible, and what follows is newer. Without this, a clock that was a day ahead would hide
 * a day of runs.
 */
export function withoutLaterTimes(row: NodeRow, at: string): NodeRow {
  const limit = utc(Date.parse(at) + CLOCK_TOLERANCE_MS);
  const earlier = (time: string) => time > limit ? at : time;
  // What is said at `at` itself is newer.
  const before = (time: string) => time > limit ? utc(Date.parse(at) - 1) : time;
  const ended = <Run extends { readonly startedAt: string; readonly durationMs: number }>(run: Run): Run =>
    endOf(run) > limit ? { ...run, startedAt: utc(Date.parse(at) - run.durationMs) } : run;
  const { hostSaidAt, said, active, activation, lastSuccessAt, last } = row;
  return {
    ...row,
    ...(hostSaidAt === undefined ? {} : { hostSaidAt: before(hostSaidAt) }),
    ...(said === undefined ? {} : { said: { ...said, at: before(said.at) } }),
    active: active === null ? null : { ...active, saidAt: before(active.saidAt) },
    activation: activation === null ? null : { ...activation, at: before(activation.at) },
    lastSuccessAt: lastSuccessAt === null ? null : earlier(lastSuccessAt),
    last: last === null ? null : ended(last),
    strip: row.strip.map(ended),
    running: row.running.filter(({ startedAt }) => startedAt <= limit),
    published: row.published.map((release) => ({ ...release, at: earlier(release.at) })),
  };
}
