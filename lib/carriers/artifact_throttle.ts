import { z } from "zod";
import type { Clock } from "../core/clock.ts";
import { RebuiltFile } from "../store/rebuilt_file.ts";
import type { Store } from "../store/store.ts";
import { type GitHubActionsSettings, sourceKey } from "./github_actions_source.ts";

/** The log phrase of the seed for cloud artifacts, in its list of troubles. */
const RATE_LIMITING = "Rate limiting - skipping sync";

/** When the last pull from each source started. */
const STARTS = new RebuiltFile("starts.json", z.record(z.string(), z.iso.datetime()));

/** Each configured source has one entry. Only a configuration that changes every day fills the file; the oldest go. */
const STARTS_MAX = 50;

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
  if (!isForced && isTooSoon(findStart(store, source), now, minIntervalMinutes)) return RATE_LIMITING;
  rememberStart(store, source, now);
  return undefined;
}

/** A start in the future means that the clock was set back since: it delays nothing. */
function isTooSoon(last: Date | undefined, now: Date, minIntervalMinutes: number): boolean {
  if (last === undefined) return false;
  const elapsedMs = now.getTime() - last.getTime();
  return elapsedMs >= 0 && elapsedMs < minIntervalMinutes * 60_000;
}

function findStart(store: Store, source: string): Date | undefined {
  const text = STARTS.find(store)?.[source];
  return text === undefined ? undefined : new Date(text);
}

function rememberStart(store: Store, source: string, at: Date): void {
  const { [source]: _old, ...others } = STARTS.find(store) ?? {};
  const kept = Object.fromEntries(Object.entries(others).slice(-(STARTS_MAX - 1)));
  STARTS.replace(store, { ...kept, [source]: at.toISOString() });
}
