import { isoSeconds } from "../core/clock.ts";
import type { ChangeList } from "../release/changes.ts";
import { type Digest, type ReleaseFile, shortDigest } from "../release/manifest.ts";
import type { RetryPolicy } from "../core/retry.ts";

/** What consumers are told: which release they see from now on, and what of it is new. */
export interface ReloadNews {
  readonly event: "activated" | "rolled-back";
  /** The release that is active now. */
  readonly digest: Digest;
  /** The one before. */
  readonly previous: Digest | undefined;
  readonly sequence: number;
  /** The folder that consumers open. */
  readonly modelsDir: string;
  /** The release's own folder in the store; its files are never changed. */
  readonly releaseDir: string;
  readonly files: readonly Pick<ReleaseFile, "path" | "size">[];
  /** From the release before to this one. */
  readonly changes: ChangeList;
  readonly runId: string;
}

/** {@link ChangeList}, cut to a length that goes into a request and an environment variable. */
export interface ChangeExcerpt extends ChangeList {
  /** How many paths are left out. */
  readonly omitted: number;
}

/** Receivers of webhooks expect up to 20 kB (Standard Webhooks, "Payload size"), programs 128 KiB a variable. */
const PATHS_CHARS_MAX = 12_000;

/** As many changes as fit, in their order. */
export function excerptChanges(changes: ChangeList): ChangeExcerpt {
  let left = PATHS_CHARS_MAX;
  let omitted = 0;
  const cut = (paths: readonly string[]) =>
    paths.filter((path) => {
      left -= path.length + '"",'.length;
      if (left < 0) omitted++;
      return left >= 0;
    });
  const [added, modified, removed] = [cut(changes.added), cut(changes.modified), cut(changes.removed)];
  return { added, modified, removed, omitted };
}

/** The body that an HTTP hook posts. */
export function describeNews(news: ReloadNews, now: Date): string {
  const { event, digest, previous, sequence, modelsDir, releaseDir, files, changes, runId } = news;
  return JSON.stringify({
    event,
    digest,
    previous: previous ?? null,
    sequence,
    modelsDir,
    releaseDir,
    files: files.length,
    changed: excerptChanges(changes),
    runId,
    at: isoSeconds(now),
  });
}

/** Names the event to receivers that act on each but once. */
export function newsId({ runId, event, digest }: ReloadNews): string {
  return `${runId}-${event}-${shortDigest(digest)}`.replace(/[^\w-]/g, "-");
}

/** A consumer that is starting is there in seconds; who waits longer keeps the store locked. */
const FIRST_DELAY_MS = 1_000;
const DELAY_MS_MAX = 10_000;
const RETRY_AFTER_MS_MAX = 60_000;

/** How a hook is tried again. */
export function reloadRetries({ retries }: { readonly retries: number }): RetryPolicy {
  return {
    attemptsMax: retries + 1,
    firstDelayMs: FIRST_DELAY_MS,
    delayMsMax: DELAY_MS_MAX,
    retryAfterMsMax: RETRY_AFTER_MS_MAX,
  };
}
