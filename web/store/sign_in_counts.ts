import * as z from "zod";
import { alwaysChanged, type CommitOutcome, commitOutcome } from "./commit.ts";
import { keys } from "./keys.ts";

const Count = z.number().int().min(0).max(1_000_000);

/** Attempts against concurrent sign-ins. A count that still changes after this many attempts is under attack. */
const ATTEMPTS_MAX = 8;

/** A window of time in which sign-ins are counted. */
export interface SignInWindow {
  /** The client's address, or `*` for all addresses. */
  readonly address: string;
  /** The window's number: the time divided by the window's length. */
  readonly window: number;
  readonly lengthMs: number;
}

/**
 * Adds one to the count of a window, unless it has reached `countMax`.
 *
 * @returns whether it was counted; `false` also if too many sign-ins are counted at the same moment
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
  // A locked file does not mean that the limit is reached.
  if (outcome === "locked") throw alwaysChanged();
  return false;
}

/** Returns whether a window has reached its limit. */
export async function isSignInWindowFull(
  kv: Deno.Kv,
  { address, window }: SignInWindow,
  countMax: number,
): Promise<boolean> {
  return countOf((await kv.get(keys.signIns(address, window))).value) >= countMax;
}

/** Subtracts one from the count of a window. */
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
  // Twice the length, because the database expires entries by its own clock.
  return await commitOutcome(kv.atomic().check(entry).set(entry.key, count, { expireIn: 2 * lengthMs }));
}

function countOf(value: unknown): number {
  const parsed = Count.safeParse(value ?? 0);
  // An unreadable count counts as full, and expires: it neither allows more attempts nor locks operators out for ever.
  return parsed.success ? parsed.data : 1_000_000;
}
