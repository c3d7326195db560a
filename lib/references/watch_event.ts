import { formatDuration } from "../core/format.ts";
import { WATCH_PHRASES as SEED } from "../core/seed_phrases.ts";
import { wallTime } from "../core/time_zone.ts";

/** An event of a watch. Programs get it as an object, people as lines by {@link watchLines}. */
export type WatchEvent = { readonly at: Date } & WatchNews;

/** The reason for a sync. */
export type SyncReason = "change" | "startup" | "retry";

/** An event without its time. Timestamps are the server's, in whole seconds since 1970; `null` while it has none. */
export type WatchNews =
  | {
    readonly kind: "started";
    readonly primaryUrl: string;
    readonly intervalSec: number;
    readonly initialDelaySec: number;
    readonly startupSync: boolean;
  }
  /** Before the first poll. */
  | { readonly kind: "delayed"; readonly delaySec: number }
  | { readonly kind: "watching" }
  /** The timestamp that later ones are compared with: the first answer, or the one of an earlier watch. */
  | { readonly kind: "initialized"; readonly timestamp: number }
  | { readonly kind: "unchanged"; readonly timestamp: number }
  /** The server has no timestamp to compare. */
  | { readonly kind: "no-timestamp" }
  | { readonly kind: "changed"; readonly from: number | null; readonly to: number; readonly isReset: boolean }
  /** The server's clock is or was wrong. */
  | { readonly kind: "far-future"; readonly timestamp: number }
  | { readonly kind: "sync-started"; readonly reason: SyncReason }
  | { readonly kind: "sync-completed" }
  /** Some parts failed. They are retried after `retryInMs` (`null`: not), and when the records change. */
  | { readonly kind: "sync-incomplete"; readonly message: string; readonly retryInMs: number | null }
  | {
    readonly kind: "poll-failed" | "sync-failed";
    readonly message: string;
    /** The number of failed rounds in a row, this one included, and the number that ends the watch. */
    readonly errors: number;
    readonly errorsMax: number;
    /** `null` if the watch ends. */
    readonly retryInMs: number | null;
  }
  | { readonly kind: "stopped" };

/** The seed's phrase for a change, and ours for the other reasons. */
const TRIGGERED: Readonly<Record<SyncReason, string>> = {
  change: SEED.triggered,
  startup: "Triggering sync operation on startup...",
  retry: "Triggering sync operation to retry what failed...",
};

/**
 * Returns an event as lines. Tools read the banner and the lines that are in `seed_phrases.ts`.
 *
 * @param timeZone an IANA name; the machine's own without it
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { watchLines } from "./watch_event.ts";
 * const at = new Date("2025-10-25T12:01:00Z");
 * assert.deepEqual(watchLines({ at, kind: "unchanged", timestamp: 1729864800 }, "UTC"), [
 *   "[2025-10-25 12:01:00] No changes detected (timestamp: 1729864800)",
 * ]);
 * ```
 */
export function watchLines(event: WatchEvent, timeZone?: string): string[] {
  const line = (text: string) => `[${wallTime(event.at, timeZone)}] ${text}`;
  switch (event.kind) {
    case "started":
      return [
        SEED.doubleRule,
        SEED.title,
        SEED.doubleRule,
        SEED.primary(event.primaryUrl),
        SEED.interval(event.intervalSec),
        SEED.delay(event.initialDelaySec),
        SEED.startupSync(event.startupSync),
        SEED.doubleRule,
      ];
    case "delayed":
      return [`Waiting ${event.delaySec} seconds before starting watch loop...`];
    case "watching":
      return [SEED.started, SEED.rule];
    case "initialized":
      return [line(SEED.initialized(event.timestamp))];
    case "unchanged":
      return [line(SEED.unchanged(event.timestamp))];
    case "no-timestamp":
      return [line("No changes detected (PRIMARY has no timestamp yet)")];
    case "changed":
      return [
        line(SEED.changed(event.from ?? "none", event.to)),
        ...(event.isReset ? [line("The timestamp decreased: PRIMARY was reset or restored")] : []),
      ];
    case "far-future":
      return [
        line(
          `Timestamp ${event.timestamp} is in the future: the clock of PRIMARY or of this machine is wrong`,
        ),
      ];
    case "sync-started":
      return [line(TRIGGERED[event.reason]), SEED.rule];
    case "sync-completed":
      return [SEED.rule, line(SEED.completed), line(SEED.resumed)];
    case "sync-incomplete":
      return [
        SEED.rule,
        line(`Sync incomplete: ${event.message}; trying again ${whenOf(event.retryInMs)}`),
        line(SEED.resumed),
      ];
    case "poll-failed":
      return [line(`Cannot check for changes${failure(event)}`)];
    case "sync-failed":
      return [SEED.rule, line(`Sync failed${failure(event)}`)];
    case "stopped":
      return [line("Watch mode stopped")];
  }
}

function whenOf(retryInMs: number | null): string {
  return retryInMs === null ? "when the records change" : `in ${formatDuration(retryInMs)}`;
}

function failure(
  { errors, errorsMax, message, retryInMs }: Extract<WatchEvent, { readonly errorsMax: number }>,
): string {
  const next = retryInMs === null ? "" : `; trying again in ${formatDuration(retryInMs)}`;
  return ` (error ${errors} of ${errorsMax}): ${message}${next}`;
}
