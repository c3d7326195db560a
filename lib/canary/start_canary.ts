import type { CanarySettings } from "../config/sections/canary.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import {
  type CanaryState,
  clearCanary,
  isOpen,
  type MetricState,
  readCanary,
  updateCanary,
} from "./canary_state.ts";
import { formatDuration } from "../core/format.ts";
import { canaryPath } from "./find_canary.ts";
import type { Digest, Manifest } from "../release/manifest.ts";
import type { IntentRun } from "../store/intent.ts";
import { readPointer } from "../store/pointers.ts";
import { findRelease } from "../store/releases.ts";
import type { Store } from "../store/store.ts";

/** The shortest interval: more samples would be a load and measure nothing new. */
export const INTERVAL_MS_MIN = 100;

/**
 * Returns the metrics of the last release that passed its canary, to compare the next one with. They are measured now,
 * unless the active release is still in canary: then its own baseline is taken over. Empty without a canary.
 */
export async function measureBaseline(
  context: Context,
  store: Store,
  coming: Digest,
  settings: CanarySettings | undefined,
): Promise<readonly MetricState[]> {
  if (settings === undefined) return [];
  const { alignMetrics, takeBaseline } = await import("./take_baseline.ts");
  const unproven = unprovenCanary(store, coming);
  if (unproven === undefined) return await takeBaseline(context, settings);
  const known = unproven.metrics.map((metric) => ({ ...metric, failures: 0, samples: [] }));
  return await alignMetrics(known, settings);
}

/** A release to put in canary. */
interface CanaryPlan {
  readonly manifest: Manifest;
  /** The release to roll back to if it fails. */
  readonly previous: Digest;
  readonly run: IntentRun;
  readonly baseline: readonly MetricState[];
}

/**
 * Puts a release in canary and ends an earlier canary. If the release before it is still in canary itself, a failure
 * rolls back to the last release that passed.
 */
export function putInCanary(
  context: Context,
  store: Store,
  { manifest, previous, run, baseline }: CanaryPlan,
  settings: CanarySettings | undefined,
): void {
  const path = canaryPath(store);
  if (settings === undefined) return clearCanary(context.fs, path);
  const unproven = unprovenCanary(store, manifest.digest);
  const proven = unproven !== undefined && findRelease(store, unproven.previous) !== undefined
    ? unproven.previous
    : previous;
  startCanary(
    context,
    path,
    { digest: manifest.digest, previous: proven, sequence: manifest.sequence, runId: run.runId },
    settings,
    baseline,
  );
}

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

/** Returns the open canary of the active release, or the one of the coming release that a killed run had started. */
function unprovenCanary(store: Store, coming: Digest): CanaryState | undefined {
  const found = readCanary(store.fs, canaryPath(store));
  if (found.kind !== "found" || !isOpen(found.state)) return undefined;
  const { digest } = found.state;
  return digest === coming || digest === readPointer(store, "current") ? found.state : undefined;
}
