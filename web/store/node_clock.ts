import type { NodeRow, Report } from "./rows.ts";
import { endOf, utc } from "./row_values.ts";

/** Clocks that NTP keeps differ by less. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;

/** Delay of a heartbeat: nodes give up after ten seconds, but proxies may hold it longer. */
const REORDERING_MS = 120_000;

/** Returns whether a time is in the future, so that the node's clock must be wrong. */
export function isAhead(at: string, receivedAt: string): boolean {
  return Date.parse(at) - Date.parse(receivedAt) > CLOCK_TOLERANCE_MS;
}

/** Returns by how many milliseconds the node's clock is ahead; 0 within the tolerance. */
export function clockAheadMs({ report }: NodeRow): number {
  if (report === null) return 0;
  const aheadMs = Date.parse(report.at) - Date.parse(report.receivedAt);
  return Math.abs(aheadMs) > CLOCK_TOLERANCE_MS ? aheadMs : 0;
}

/**
 * Returns whether a heartbeat is newer than the stored one. Usually the node's clock decides. Nodes do not resend
 * heartbeats, so one that arrives later with a much older time, or minutes later, shows that the clock was set back.
 */
export function isNewerReport(report: Report, stored: Report): boolean {
  if (report.at > stored.at) return true;
  const laterMs = Date.parse(report.receivedAt) - Date.parse(stored.receivedAt);
  const olderMs = Date.parse(stored.at) - Date.parse(report.at);
  const halfIntervalMs = Math.min(stored.intervalSeconds * 1000, REORDERING_MS) / 2;
  return laterMs > REORDERING_MS || (olderMs > REORDERING_MS && laterMs > 0 && laterMs >= halfIntervalMs);
}

/** Returns whether a heartbeat shows that later times in the row came from a wrong clock. */
export function provesClock(report: Report, stored: Report | null): boolean {
  const offMs = Math.abs(Date.parse(report.at) - Date.parse(report.receivedAt));
  return offMs <= CLOCK_TOLERANCE_MS || (stored !== null && report.at < stored.at);
}

/**
 * Returns the row with later times moved back to `at`: they came from a clock that was ahead. Runs stay visible, as if
 * they had ended at `at`, and new reports are newer. Without this, a clock that was a day ahead would hide a day of
 * runs.
 */
export function withoutLaterTimes(row: NodeRow, at: string): NodeRow {
  const limit = utc(Date.parse(at) + CLOCK_TOLERANCE_MS);
  const earlier = (time: string) => time > limit ? at : time;
  // A report at `at` itself must be newer.
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
