import type { CanarySettings } from "../config/sections/canary.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import type { Digest } from "../release/manifest.ts";
import { type CanaryState, type MetricState, updateCanary } from "./canary_state.ts";
import { formatDuration } from "../core/format.ts";

/** The shortest interval: more samples would be a load and measure nothing new. */
export const INTERVAL_MS_MIN = 100;

/** The release in canary, the run that activated it, and the previous release. */
export interface CanaryRelease {
  readonly digest: Digest;
  readonly previous: Digest;
  readonly sequence: number;
  readonly runId: string;
}

/**
 * Writes the state of a new canary, and replaces an old one. From then on the release is in canary: this process or the
 * next one watches it.
 */
export function startCanary(
  { fs, clock, log }: Pick<Context, "fs" | "clock" | "log">,
  path: string,
  release: CanaryRelease,
  settings: CanarySettings,
  baseline: readonly MetricState[],
): CanaryState {
  const now = isoSeconds(clock.now());
  const durationMs = settings.duration_minutes * 60_000;
  const state: CanaryState = {
    schema: 1,
    digest: release.digest,
    previous: release.previous,
    sequence: release.sequence,
    runId: release.runId,
    startedAt: now,
    durationMs,
    intervalMs: intervalMs(durationMs, settings),
    watchedMs: 0,
    rounds: 0,
    status: "watching",
    reason: "",
    statusSince: now,
    concludedAt: null,
    metrics: [...baseline],
  };
  updateCanary(fs, path, () => state);
  log.info(
    `canary: watching ${settings.metrics.map(({ name }) => name).join(", ")} for ${
      formatDuration(durationMs)
    }, ` +
      `a sample every ${formatDuration(state.intervalMs)}`,
  );
  return state;
}

/** Returns the configured interval, shortened so that a constantly degraded release fails within the duration. */
function intervalMs(durationMs: number, { interval_seconds, failure_limit }: CanarySettings): number {
  return Math.max(INTERVAL_MS_MIN, Math.min(interval_seconds * 1000, durationMs / (failure_limit + 1)));
}
