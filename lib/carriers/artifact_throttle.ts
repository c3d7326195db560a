import type { Clock } from "../core/clock.ts";
import { findPullTime, rememberPullTime } from "../store/pull_times.ts";
import type { Store } from "../store/store.ts";
import { type GitHubActionsSettings, sourceKey } from "./github_actions_source.ts";

/** The log phrase of the seed for cloud artifacts, in its list of troubles. */
const RATE_LIMITING = "Rate limiting - skipping sync";

export interface ThrottleOptions {
  readonly minIntervalMinutes: number;
  /** Whether the operator wants this pull whatever the interval. */
  readonly isForced: boolean;
}

/**
 * Returns why a pull of artifacts is to be skipped: another one from the same source started less than the interval ago.
 * Otherwise returns `undefined`, and remembers this start.
 */
export function throttleArtifacts(
  clock: Clock,
  store: Store,
  settings: GitHubActionsSettings,
  { minIntervalMinutes, isForced }: ThrottleOptions,
): string | undefined {
  const source = sourceKey(settings);
  const now = clock.now();
  if (!isForced && isTooSoon(findPullTime(store, source), now, minIntervalMinutes)) return RATE_LIMITING;
  rememberPullTime(store, source, now);
  return undefined;
}

/** A start in the future means that the clock was set back since: it delays nothing. */
function isTooSoon(last: Date | undefined, now: Date, minIntervalMinutes: number): boolean {
  if (last === undefined) return false;
  const elapsedMs = now.getTime() - last.getTime();
  return elapsedMs >= 0 && elapsedMs < minIntervalMinutes * 60_000;
}
