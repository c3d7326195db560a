import {
  type CanaryState,
  clearCanary,
  isOpen,
  type MetricState,
  readCanary,
} from "../canary/canary_state.ts";
import { canaryPath } from "../canary/find_canary.ts";
import type { CanarySettings } from "../config/sections/canary.ts";
import type { Context } from "../core/context.ts";
import type { Digest, Manifest } from "../release/manifest.ts";
import type { IntentRun } from "../store/intent.ts";
import { readPointer } from "../store/pointers.ts";
import { findRelease } from "../store/releases.ts";
import type { Store } from "../store/store.ts";

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
  const { alignMetrics, takeBaseline } = await import("../canary/take_baseline.ts");
  const unproven = unprovenCanary(store, coming);
  if (unproven === undefined) return await takeBaseline(context, settings);
  const known = unproven.metrics.map((metric) => ({ ...metric, failures: 0, samples: [] }));
  return await alignMetrics(known, settings);
}

/** A release to put in canary. */
export interface CanaryPlan {
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
export async function putInCanary(
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

/** Returns the open canary of the active release, or the one of the coming release that a killed run had started. */
function unprovenCanary(store: Store, coming: Digest): CanaryState | undefined {
  const found = readCanary(store.fs, canaryPath(store));
  if (found.kind !== "found" || !isOpen(found.state)) return undefined;
  const { digest } = found.state;
  return digest === coming || digest === readPointer(store, "current") ? found.state : undefined;
}
