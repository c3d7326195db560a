import type { Context } from "../core/context.ts";
import { formatDuration } from "../core/format.ts";
import { RATE_LIMITING } from "../core/seed_phrases.ts";
import { findPullTime, rememberPullTime } from "../store/pull_times.ts";
import type { Store } from "../store/store.ts";
import { type GitHubActionsSettings, sourceKey } from "./github_actions_source.ts";

export interface ThrottleOptions {
  readonly minIntervalMinutes: number;
  /** Whether the operator wants this pull whatever the interval. */
  readonly isForced: boolean;
}

/**
 * Returns the reason to skip a pull of artifacts: another one from the same source started less than the interval ago.
 * Otherwise returns `undefined`, and stores this start.
 */
export function throttleArtifacts(
  { clock, log }: Pick<Context, "clock" | "log">,
  store: Store,
  settings: GitHubActionsSettings,
  { minIntervalMinutes, isForced }: ThrottleOptions,
): string | undefined {
  const source = sourceKey(settings);
  const now = clock.now();
  const last = findPullTime(store, source);
  const elapsedMs = last === undefined ? Infinity : now.getTime() - last.getTime();
  // A start in the future means that the clock was set back since: it delays nothing.
  if (!isForced && elapsedMs >= 0 && elapsedMs < minIntervalMinutes * 60_000) {
    // The phrase alone suggests that GitHub limits requests.
    log.info(
      `the previous pull started ${
        formatDuration(elapsedMs)
      } ago; artifacts.min_interval_minutes is ${minIntervalMinutes}`,
    );
    return RATE_LIMITING;
  }
  rememberPullTime(store, source, now);
  return undefined;
}
