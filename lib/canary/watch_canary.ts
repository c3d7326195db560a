import type { CanarySettings } from "../config/sections/canary.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { FailedError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { shortDigest } from "../release/manifest.ts";
import {
  type CanaryFile,
  type CanaryState,
  isOpen,
  isSameCanary,
  type MetricState,
  readCanary,
  UNREADABLE_HINT,
  updateCanary,
} from "./canary_state.ts";
import { roundLine } from "./describe_canary.ts";
import { judge, type Round, type RoundVerdict } from "./judge.ts";
import { sampleMetrics } from "./sample_metric.ts";
import { INTERVAL_MS_MIN } from "./start_canary.ts";
import { alignMetrics } from "./take_baseline.ts";

/** The longest time until an operator's verdict is noticed. A check reads some kilobytes. */
const CHECK_MS = 5_000;

export interface WatchOptions {
  readonly statePath: string;
  readonly settings: CanarySettings;
  /** Called after each round that this process judged and saved. */
  readonly onVerdict?: (verdict: RoundVerdict, state: CanaryState) => void;
}

/** How a canary ended. The caller acts on it, and then calls `concludeCanary`. */
export type CanaryVerdict =
  | { readonly kind: "passed" | "promoted"; readonly state: CanaryState }
  /** To be rolled back, because of its metrics or by an operator. */
  | { readonly kind: "degraded" | "aborted"; readonly state: CanaryState }
  /** Another release is in canary now, or none: there is nothing to do. */
  | { readonly kind: "superseded" };

/**
 * Watches the release of the state at `statePath` until there is a verdict. Continues where an earlier process stopped,
 * also with a verdict on which no run has acted. Only watched time counts: neither a clock that jumps nor a suspended
 * machine ends a canary early. A paused canary ends only by new data or by an operator. Several processes may watch one
 * canary: each round counts once.
 *
 * Holds no lock between rounds. When the signal is aborted, the state stays unchanged. Needs what the metrics need, and
 * read and write permission for the folder of the state.
 *
 * @throws {FailedError} code `CANARY_STATE_INVALID` for an unreadable state; the signal's reason
 */
export async function watchCanary(context: Context, options: WatchOptions): Promise<CanaryVerdict> {
  const { fs, clock } = context;
  const { statePath, settings } = options;
  let state = startedState(readCanary(fs, statePath));
  warnOfLostBaselines(context, state?.metrics ?? [], await alignMetrics(state?.metrics ?? [], settings));
  let sinceMs = clock.monotonicMs();
  while (state !== undefined && isOpen(state)) {
    const before: CanaryState | undefined = await waitForRound(context, statePath, state);
    if (before === undefined || !isOpen(before) || before.rounds !== state.rounds) {
      // An operator gave a verdict, or another process has judged this round.
      state = before;
      sinceMs = clock.monotonicMs();
      continue;
    }
    const metrics = await alignMetrics(before.metrics, settings);
    const readings = await sampleMetrics(context, settings.metrics);
    const nowMs = clock.monotonicMs();
    state = saveRound(context, options, { ...before, metrics }, { readings, elapsedMs: nowMs - sinceMs });
    sinceMs = nowMs;
  }
  return verdictOf(state);
}

function startedState(found: CanaryFile): CanaryState | undefined {
  if (found.kind !== "unreadable") return found.kind === "found" ? found.state : undefined;
  throw new FailedError(`Cannot continue the canary: ${found.reason}`, {
    code: "CANARY_STATE_INVALID",
    hint: UNREADABLE_HINT,
  });
}

/** Returns this canary's state on disk; `undefined` for another canary or none. Damage is replaced by our state. */
function current(found: CanaryFile, ours: CanaryState): CanaryState | undefined {
  if (found.kind === "unreadable") return ours;
  return found.kind === "found" && isSameCanary(found.state, ours) ? found.state : undefined;
}

/** Waits until the next round is due or the state changes. @returns the canary's state on disk then */
async function waitForRound(
  { fs, clock, signal }: Context,
  path: string,
  state: CanaryState,
): Promise<CanaryState | undefined> {
  const dueMs = clock.monotonicMs() + pauseMs(state);
  for (;;) {
    await clock.sleep(Math.max(0, Math.min(dueMs - clock.monotonicMs(), CHECK_MS)), signal);
    const now = current(readCanary(fs, path), state);
    const isNews = now === undefined || !isOpen(now) || now.rounds !== state.rounds;
    if (isNews || clock.monotonicMs() >= dueMs) return now;
  }
}

/** Returns the time until the next round: an interval, or the remaining time if that is shorter. */
function pauseMs({ status, intervalMs, durationMs, watchedMs }: CanaryState): number {
  const leftMs = durationMs - watchedMs;
  if (status === "paused" || leftMs <= 0) return intervalMs;
  return Math.max(INTERVAL_MS_MIN, Math.min(intervalMs, leftMs));
}

/** Judges and saves a round, unless another process did. @returns the canary's state on disk afterwards */
function saveRound(
  { fs, clock, log }: Context,
  { statePath, settings, onVerdict }: WatchOptions,
  before: CanaryState,
  round: Pick<Round, "readings" | "elapsedMs">,
): CanaryState | undefined {
  const judged = judge(before, settings, { ...round, at: isoSeconds(clock.now()) });
  const { found, written } = updateCanary(fs, statePath, (found) => {
    const now = current(found, before);
    return now !== undefined && isOpen(now) && now.rounds === before.rounds ? judged.state : undefined;
  });
  if (written === undefined) return current(found, before);
  logRound(log, settings, before, written, judged.verdict);
  onVerdict?.(judged.verdict, written);
  return written;
}

function logRound(
  log: Log,
  settings: CanarySettings,
  before: CanaryState,
  after: CanaryState,
  { kind, reason }: RoundVerdict,
): void {
  const release = `canary of release ${shortDigest(after.digest)}`;
  const line = `${release}: ${roundLine(after, settings)}`;
  if (kind === "continue" && reason !== "") return log.warn(`${line}; tolerated: ${reason}`);
  if (kind === "continue") return log.info(line);
  if (kind === "passed") return log.info(`${release} passed: ${reason}`);
  if (kind !== "paused") return log.error(`${release} failed: ${reason}`);
  // A pause may last for days: it is logged once.
  const isNews = before.status !== "paused" || before.reason !== reason;
  if (isNews) log.warn(`${release} is paused, and its time does not count: ${reason}`);
  else log.debug(line);
}

function warnOfLostBaselines(
  { log }: Context,
  before: readonly MetricState[],
  after: readonly MetricState[],
): void {
  for (const { name, baseline } of after) {
    const had = before.find((metric) => metric.name === name)?.baseline.kind === "value";
    if (had && baseline.kind === "no-data") {
      log.warn(`canary: ${name} has no baseline any more: ${baseline.reason}`);
    }
  }
}

function verdictOf(state: CanaryState | undefined): CanaryVerdict {
  switch (state?.status) {
    case "passed":
    case "promoted":
    case "degraded":
    case "aborted":
      return { kind: state.status, state };
    default:
      return { kind: "superseded" };
  }
}
