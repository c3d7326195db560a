import { alwaysChanged, committed } from "./commit.ts";
import { keys } from "./keys.ts";

/** As long as the signatures that are made with it. */
const KEY_BYTES = 32;
/** Instances that start at once: one of them wins, and the others read its key in the next attempt. */
const ATTEMPTS_MAX = 20;

/** Returns the key of an entry; `undefined` where there is none, or not of the right length. */
export function sessionKeyOf(value: unknown): Uint8Array | undefined {
  return value instanceof Uint8Array && value.length === KEY_BYTES ? value : undefined;
}

/** Returns the key that sessions are signed with, and makes it where there is none: all instances get the same. */
export async function ensureSessionKey(kv: Deno.Kv): Promise<Uint8Array> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const entry = await kv.get(keys.sessionKey());
    const key = sessionKeyOf(entry.value);
    if (key !== undefined) return key;
    await committed(kv.atomic().check(entry).set(keys.sessionKey(), newKey()));
  }
  throw alwaysChanged();
}

/** Makes another key: all operators are signed out. */
export async function replaceSessionKey(kv: Deno.Kv): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (await committed(kv.atomic().set(keys.sessionKey(), newKey()))) return;
  }
  throw alwaysChanged();
}

function newKey(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(KEY_BYTES));
}
