import { LockedError } from "../../lib/core/errors.ts";
import { isLocked } from "./kv_failure.ts";

/** A writer holds SQLite's lock for a few milliseconds. */
const LOCKED_MS = 10;

/** SQLite itself waits 5 s for a lock that another process keeps: waiting for it again and again would take minutes. */
const WAITED_MS = 1_000;

/** What came of a commit: `locked` while another process writes to SQLite's file. */
export type CommitOutcome = "committed" | "conflict" | "locked";

/**
 * Commits an operation. Deno reports the lock of SQLite, which another process holds for milliseconds, at once and as an
 * error: here it is an outcome, after a short wait. The wait is one of real time, whatever the dashboard's clock says.
 *
 * @throws what the database throws otherwise, and where a lock is kept for seconds
 */
export async function commitOutcome(operation: Deno.AtomicOperation): Promise<CommitOutcome> {
  const begunMs = performance.now();
  try {
    return (await operation.commit()).ok ? "committed" : "conflict";
  } catch (error) {
    if (!isLocked(error) || performance.now() - begunMs > WAITED_MS) throw error;
    await new Promise((resolve) => setTimeout(resolve, LOCKED_MS * (1 + Math.random())));
    return "locked";
  }
}

/** Commits an operation and returns whether that worked; `false` for a conflict with another writer, and for its lock. */
export async function committed(operation: Deno.AtomicOperation): Promise<boolean> {
  return await commitOutcome(operation) === "committed";
}

/** Returns the error for a change that other writers did not let through, attempt after attempt. */
export function alwaysChanged(): Error {
  return new LockedError("Cannot change the database: other processes write to it all the time", {
    code: "DATABASE_LOCKED",
    hint: "try again in a moment",
  });
}
