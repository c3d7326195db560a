import {
  type CanaryState,
  clearCanary,
  isOpen,
  type MetricState,
  readCanary,
} from "../canary/canary_state.ts";
import { canaryPath, judgedCanary } from "../canary/find_canary.ts";
import { concludeCanary } from "../canary/settle_canary.ts";
import type { CanarySettings } from "../config/sections/canary.ts";
import type { Context } from "../core/context.ts";
import type { Digest, Manifest } from "../release/manifest.ts";
import { activeManifest } from "../store/active_release.ts";
import type { IntentRun } from "../store/intent.ts";
import { readPointer } from "../store/pointers.ts";
import { findRelease } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import { goBack } from "./go_back.ts";
import type { SwapOptions } from "./swap_options.ts";

/**
 * What the metrics said of the last release that has proved itself: they are measured now, unless the active release is
 * still being watched itself. Nothing where none is to be watched.
 */
export async function measureBaseline(
  context: Context,
  store: Store,
  coming: Digest,
  settings: CanarySettings | undefined,
): Promise<readonly MetricState[]> {
  if (settings === undefined) return [];
  const { alignMetrics, takeBaseline } = await import("../canary/take_baseline.ts");
  const unproven = unprovenCanary(store, coming);
  if (unproven === undefined) return await takeBaseline(context, settings);
  const known = unproven.metrics.map((metric) => ({ ...metric, failures: 0, samples: [] }));
  return await alignMetrics(known, settings);
}

/** What is to be watched, and where to go if it disappoints. */
export interface CanaryPlan {
  readonly manifest: Manifest;
  readonly previous: Digest;
  readonly run: IntentRun;
  readonly baseline: readonly MetricState[];
}

/**
 * Puts a release under watch, in the place of whatever was watched. A release that comes while the one before is still
 * being watched goes back to the last one that has proved itself.
 */
export async function beginCanary(
  context: Context,
  store: Store,
  { manifest, previous, run, baseline }: CanaryPlan,
  settings: CanarySettings | undefined,
): Promise<void> {
  const path = canaryPath(store);
  if (settings === undefined) return clearCanary(context.fs, path);
  const unproven = unprovenCanary(store, manifest.digest);
  const proven = unproven !== undefined && findRelease(store, unproven.previous) !== undefined
    ? unproven.previous
    : previous;
  const { startCanary } = await import("../canary/start_canary.ts");
  startCanary(
    context,
    path,
    { digest: manifest.digest, previous: proven, sequence: manifest.sequence, runId: run.runId },
    settings,
    baseline,
  );
}

/** The canary of the active release, or of the very one that comes, where a killed run had announced it before. */
function unprovenCanary(store: Store, coming: Digest): CanaryState | undefined {
  const found = readCanary(store.fs, canaryPath(store));
  if (found.kind !== "found" || !isOpen(found.state)) return undefined;
  const { digest } = found.state;
  return digest === coming || digest === readPointer(store, "current") ? found.state : undefined;
}

/**
 * Acts upon a verdict: a release that did not prove itself is left. Does nothing where nothing was judged, or the
 * release is not the active one any more.
 *
 * @throws {RolledBackError} code `CANARY_DEGRADED` or `CANARY_ABORTED`
 */
export async function finishCanary(context: Context, store: Store, options: SwapOptions): Promise<void> {
  const canary = judgedCanary(store);
  if (canary === undefined) return;
  const failed = activeManifest(store);
  const isBad = canary.status === "degraded" || canary.status === "aborted";
  if (!isBad || failed?.digest !== canary.digest) return concludeCanary(context, canaryPath(store), canary);
  const error = await goBack(context, store, {
    failed,
    to: canary.previous,
    code: canary.status === "degraded" ? "CANARY_DEGRADED" : "CANARY_ABORTED",
    reason: canary.status === "degraded"
      ? `did not prove itself: ${canary.reason}`
      : "was not wanted any more: its canary was aborted",
  }, options);
  concludeCanary(context, canaryPath(store), canary);
  throw error;
}
