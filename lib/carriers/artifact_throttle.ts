import * as z from "zod";
import type { Context } from "../core/context.ts";
import { formatDuration } from "../core/format.ts";
import { RATE_LIMITING } from "../core/seed_phrases.ts";
import { RebuiltFile } from "../store/rebuilt_file.ts";
import type { Store } from "../store/store.ts";
import { type GitHubActionsSettings, sourceKey } from "./github_actions_source.ts";

/** When the last answered pull from each source started. */
const STARTS = new RebuiltFile("starts.json", z.record(z.string(), z.iso.datetime()));

/** Each configured source has one entry. Only a configuration that changes every day fills the file; the oldest go. */
const STARTS_MAX = 50;

export interface ThrottleOptions {
  readonly minIntervalMinutes: number;
  /** Whether the operator wants this pull whatever the interval. */
  readonly isForced: boolean;
}

/**
 * Returns the reason to skip a pull of artifacts: an answered one from the same source started less than the interval
 * ago. Otherwise returns `undefined`.
 */
export function throttleArtifacts(
  { clock, log }: Pick<Context, "clock" | "log">,
  store: Store,
  settings: GitHubActionsSettings,
  { minIntervalMinutes, isForced }: ThrottleOptions,
): string | undefined {
  const last = findStart(store, sourceKey(settings));
  const elapsedMs = last === undefined ? Infinity : clock.now().getTime() - last.getTime();
  // A start in the future means that the clock was set back since: it delays nothing.
  if (isForced || elapsedMs < 0 || elapsedMs >= minIntervalMinutes * 60_000) return undefined;
  // The phrase alone suggests that GitHub limits requests.
  log.info(
    `the previous pull started ${formatDuration(elapsedMs)} ago; ` +
      `artifacts.min_interval_minutes is ${minIntervalMinutes}; to pull now: model-sync artifact-pull --min-interval-minutes 0`,
  );
  return RATE_LIMITING;
}

/** Stores when a pull started that got a release, or refused one. A pull without an answer delays no other. */
export function rememberAnsweredPull(store: Store, settings: GitHubActionsSettings, startedAt: string): void {
  const source = sourceKey(settings);
  const { [source]: _old, ...others } = STARTS.find(store) ?? {};
  const kept = Object.fromEntries(Object.entries(others).slice(-(STARTS_MAX - 1)));
  STARTS.replace(store, { ...kept, [source]: startedAt });
}

function findStart(store: Store, source: string): Date | undefined {
  const text = STARTS.find(store)?.[source];
  return text === undefined ? undefined : new Date(text);
}
