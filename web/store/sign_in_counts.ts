import { z } from "zod";
import { alwaysChanged, type CommitOutcome, commitOutcome } from "./commit.ts";
import { keys } from "./keys.ts";

const Count = z.number().int().min(0).max(1_000_000);

/** Requests at the same moment; a count that still changes after this many tries is being attacked. */
const ATTEMPTS_MAX = 8;

/** A count of sign-ins within a span of time. */
export interface SignInWindow {
  /** The client's address, or a word for all of them. */
  readonly address: string;
  /** The number of the window: time divided by its length. */
  readonly window: number;
  readonly lengthMs: number;
}

/**
 * Counts one more in a window, unless `countMax` were counted.
 *
 * @returns whether it was counted; `false` also where too many others count at the same moment
 * @throws {LockedError} code `DATABASE_LOCKED` while another program keeps the file locked
 */
export async function countSignIn(kv: Deno.Kv, window: SignInWindow, countMax: number): Promise<boolean> {
  let outcome: CommitOutcome = "conflict";
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const entry = await kv.get(keys.signIns(window.address, window.window));
    const count = countOf(entry.value);
    if (count >= countMax) return false;
    outcome = await store(kv, entry, count + 1, window);
    if (outcome === "committed") return true;
  }
  // A file that another program has locked is not a limit that was reached.
  if (outcome === "locked") throw alwaysChanged();
  return false;
}

/** Returns whether as many were counted as may be. */
export async function isSignInWindowFull(
  kv: Deno.Kv,
  { address, window }: SignInWindow,
  countMax: number,
): Promise<boolean> {
  return countOf((await kv.get(keys.signIns(address, window))).value) >= countMax;
}

/** Takes one back. */
export async function uncountSignIn(kv: Deno.Kv, window: SignInWindow): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const entry = await kv.get(keys.signIns(window.address, window.window));
    const count = countOf(entry.value);
    if (count === 0 || await store(kv, entry, count - 1, window) === "committed") return;
  }
}

async function store(
  kv: Deno.Kv,
  entry: Deno.KvEntryMaybe<unknown>,
  count: number,
  { lengthMs }: SignInWindow,
): Promise<CommitOutcome> {
  // Twice its length: the database removes it late or early by its own clock.
  return await commitOutcome(kv.atomic().check(entry).set(entry.key, count, { expireIn: 2 * lengthMs }));
}

function countOf(value: unknown): number {
  const parsed = Count.safeParse(value ?? 0);
  // A count that cannot be read is not a reason to let more in, nor to lock operators out for ever: it expires.
  return parsed.success ? parsed.data : 1_000_000;
}
