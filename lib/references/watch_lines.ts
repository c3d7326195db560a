import { formatDuration } from "../core/format.ts";
import type { SyncReason, WatchEvent } from "./watch_event.ts";

const DOUBLE_RULE = "=".repeat(80);
const RULE = "-".repeat(80);

const REASONS: Readonly<Record<SyncReason, string>> = {
  change: "due to detected changes",
  startup: "on startup",
  retry: "to retry what failed",
};

/**
 * An event as lines for people. Tools read them: banner and lines are those of the original sync.
 *
 * @param timeZone an IANA name; the machine's own without it
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { watchLines } from "./watch_lines.ts";
 * const at = new Date("2025-10-25T12:01:00Z");
 * assert.deepEqual(watchLines({ at, kind: "unchanged", timestamp: 1729864800 }, "UTC"), [
 *   "[2025-10-25 12:01:00] No changes detected (timestamp: 1729864800)",
 * ]);
 * ```
 */
export function watchLines(event: WatchEvent, timeZone?: string): string[] {
  const line = (text: string) => `[${formatSecond(event.at, timeZone)}] ${text}`;
  switch (event.kind) {
    case "started":
      return [
        DOUBLE_RULE,
        "GitHub Model Reference Sync Service - WATCH MODE",
        DOUBLE_RULE,
        `Monitoring PRIMARY API: ${event.primaryUrl}`,
        `Polling interval: ${event.intervalSec} seconds`,
        `Initial delay: ${event.initialDelaySec} seconds`,
        `Startup sync: ${event.startupSync ? "enabled" : "disabled"}`,
        DOUBLE_RULE,
      ];
    case "delayed":
      return [`Waiting ${event.delaySec} seconds before starting watch loop...`];
    case "watching":
      return ["Starting watch loop. Press Ctrl+C to stop.", RULE];
    case "initialized":
      return [line(`Initialized last known timestamp: ${event.timestamp}`)];
    case "unchanged":
      return [line(`No changes detected (timestamp: ${event.timestamp})`)];
    case "no-timestamp":
      return [line("No changes detected (PRIMARY has no timestamp yet)")];
    case "changed":
      return [
        line(`Changes detected! Timestamp changed from ${event.from ?? "none"} to ${event.to}`),
        ...(event.isReset ? [line("The timestamp went back: PRIMARY was reset or restored")] : []),
      ];
    case "far-future":
      return [
        line(`Timestamp ${event.timestamp} lies in the future: the clock of PRIMARY, or ours, is wrong`),
      ];
    case "sync-started":
      return [line(`Triggering sync operation ${REASONS[event.reason]}...`), RULE];
    case "sync-completed":
      return [RULE, line("Sync completed successfully"), line("Resuming watch loop...")];
    case "sync-incomplete":
      return [
        RULE,
        line(`Sync incomplete: ${event.message}; trying again ${whenOf(event.retryInMs)}`),
        line("Resuming watch loop..."),
      ];
    case "poll-failed":
      return [line(`Cannot check for changes${failure(event)}`)];
    case "sync-failed":
      return [RULE, line(`Sync failed${failure(event)}`)];
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

/** `2025-10-25 12:00:00`, local time. */
function formatSecond(at: Date, timeZone: string | undefined): string {
  // Swedish writes dates as ISO 8601 does.
  return new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" }).format(at);
}
