import { isoSeconds } from "../core/clock.ts";
import type { ChangeList } from "../release/changes.ts";
import { type Digest, type ReleaseFile, shortDigest } from "../release/manifest.ts";
import type { RetryPolicy } from "../core/retry.ts";

/** The notification of consumers: the release that is active now, and its changes. */
export interface ReloadNotification {
  readonly event: "activated" | "rolled-back";
  /** The release that is active now. */
  readonly digest: Digest;
  /** The release before it. */
  readonly previous: Digest | undefined;
  readonly sequence: number;
  /** The folder that consumers open. */
  readonly modelsDir: string;
  /** The release's folder in the store. Its files never change. */
  readonly releaseDir: string;
  readonly files: readonly Pick<ReleaseFile, "path" | "size">[];
  /** The changes from the release before. */
  readonly changes: ChangeList;
  readonly runId: string;
}

/** A {@link ChangeList}, cut to a length that fits into a request and an environment variable. */
export interface ChangeExcerpt extends ChangeList {
  /** The number of paths that are left out. */
  readonly omitted: number;
}

/** Receivers of webhooks accept 20 kB (Standard Webhooks, "Payload size"), programs 128 KiB for a variable. */
const PATHS_CHARS_MAX = 12_000;

/** Returns as many changes as fit, in their order. */
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

/** Returns the body of an HTTP hook. */
export function notificationBody(notification: ReloadNotification, now: Date): string {
  const { event, digest, previous, sequence, modelsDir, releaseDir, files, changes, runId } = notification;
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

/** Returns the id of the notification. Receivers use it to act on each only once. */
export function notificationId({ runId, event, digest }: ReloadNotification): string {
  return `${runId}-${event}-${shortDigest(digest)}`.replace(/[^\w-]/g, "-");
}

/** A starting consumer is ready in seconds. A longer wait would keep the store locked. */
const FIRST_DELAY_MS = 1_000;
const DELAY_MS_MAX = 10_000;
const RETRY_AFTER_MS_MAX = 60_000;

/** Returns the retry policy of a hook. */
export function reloadRetries({ retries }: { readonly retries: number }): RetryPolicy {
  return {
    attemptsMax: retries + 1,
    firstDelayMs: FIRST_DELAY_MS,
    delayMsMax: DELAY_MS_MAX,
    retryAfterMsMax: RETRY_AFTER_MS_MAX,
  };
}
