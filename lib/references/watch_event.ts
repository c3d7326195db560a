/** What happened while a PRIMARY server is watched: one object for machines, lines for people by {@link watchLines}. */
export type WatchEvent = { readonly at: Date } & WatchNews;

/** Why a sync begins. */
export type SyncReason = "change" | "startup" | "retry";

/** An event without its time. Timestamps are the server's, in whole seconds since 1970; `null` where it has none yet. */
export type WatchNews =
  | {
    readonly kind: "started";
    readonly primaryUrl: string;
    readonly intervalSec: number;
    readonly initialDelaySec: number;
    readonly startupSync: boolean;
  }
  /** Before the first look. */
  | { readonly kind: "delayed"; readonly delaySec: number }
  | { readonly kind: "watching" }
  /** What changes are told from: the first answer, or what an earlier watch has left. */
  | { readonly kind: "initialized"; readonly timestamp: number }
  | { readonly kind: "unchanged"; readonly timestamp: number }
  /** The server knows of no change: there is nothing to compare. */
  | { readonly kind: "no-timestamp" }
  | { readonly kind: "changed"; readonly from: number | null; readonly to: number; readonly isReset: boolean }
  /** The server's clock is wrong, or was when the records changed. */
  | { readonly kind: "far-future"; readonly timestamp: number }
  | { readonly kind: "sync-started"; readonly reason: SyncReason }
  | { readonly kind: "sync-completed" }
  /** Some parts failed. They are retried then (`null`: not), and when the records change. */
  | { readonly kind: "sync-incomplete"; readonly message: string; readonly retryInMs: number | null }
  | {
    readonly kind: "poll-failed" | "sync-failed";
    readonly message: string;
    /** How many rounds have failed in a row, this one included, and how many end the watch. */
    readonly errors: number;
    readonly errorsMax: number;
    /** `null`: not again. */
    readonly retryInMs: number | null;
  }
  | { readonly kind: "stopped" };
