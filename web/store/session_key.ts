import { alwaysChanged, committed } from "./commit.ts";
import { keys } from "./keys.ts";

/** The length of the HMACs that use the key. */
const KEY_BYTES = 32;
/** Instances may start at the same time. One creates the key, and the others read it in their next attempt. */
const ATTEMPTS_MAX = 20;

/** Returns the key in an entry; `undefined` if it is missing or has the wrong length. */
export function sessionKeyOf(value: unknown): Uint8Array | undefined {
  return value instanceof Uint8Array && value.length === KEY_BYTES ? value : undefined;
}

/** Returns the key that signs sessions, and creates it if it is missing. All instances get the same key. */
export async function ensureSessionKey(kv: Deno.Kv): Promise<Uint8Array> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const entry = await kv.get(keys.sessionKey());
    const key = sessionKeyOf(entry.value);
    if (key !== undefined) return key;
    await committed(kv.atomic().check(entry).set(keys.sessionKey(), newKey()));
  }
  throw alwaysChanged();
}

/** Replaces the key, which signs everyone out. */
export async function replaceSessionKey(kv: Deno.Kv): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (await committed(kv.atomic().set(keys.sessionKey(), newKey()))) return;
  }
  throw alwaysChanged();
}

function newKey(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(KEY_BYTES));
}
