import {
  countSignIn,
  isSignInWindowFull,
  type SignInWindow,
  uncountSignIn,
} from "../store/sign_in_counts.ts";
import type { Web } from "../shared/web.ts";

/** Tries of one address with a wrong password. A person needs three. */
const ADDRESS_FAILURES_MAX = 10;
const ADDRESS_WINDOW_MS = 15 * 60_000;
/**
 * Tries of all addresses. An attacker who has many can so keep people from signing in for the rest of the hour; those
 * who are signed in, and tokens, are not affected. It also bounds the counts that are stored.
 */
const ALL_FAILURES_MAX = 100;
const ALL_WINDOW_MS = 60 * 60_000;
const ALL = "*";

/** A try to sign in that is counted already. */
export type SignInTry =
  | { readonly isAllowed: true; readonly succeed: () => Promise<void> }
  | { readonly isAllowed: false; readonly retryAfterSec: number };

/**
 * Counts a try to sign in before the password is looked at: many at the same moment would all be looked at otherwise.
 * What succeeds is taken back. The counts are the database's, so that they hold for all instances.
 *
 * A window begins at a full quarter of an hour: at its end, an address may try twice as often. A clock that is set back
 * counts in a window of its past again, which has its count still.
 */
export async function trySignIn(web: Web, address: string): Promise<SignInTry> {
  const nowMs = web.clock.now().getTime();
  const all = windowOf(ALL, ALL_WINDOW_MS, nowMs);
  const own = windowOf(networkOf(address), ADDRESS_WINDOW_MS, nowMs);
  if (await isSignInWindowFull(web.kv, own, ADDRESS_FAILURES_MAX)) return refused(own, nowMs);
  // This one first: where it is full, nothing is stored for another address.
  if (!await countSignIn(web.kv, all, ALL_FAILURES_MAX)) return refused(all, nowMs);
  if (!await countSignIn(web.kv, own, ADDRESS_FAILURES_MAX)) {
    await uncountSignIn(web.kv, all);
    return refused(own, nowMs);
  }
  return {
    isAllowed: true,
    succeed: async () => {
      await uncountSignIn(web.kv, own);
      await uncountSignIn(web.kv, all);
    },
  };
}

function windowOf(address: string, lengthMs: number, nowMs: number): SignInWindow {
  return { address, window: Math.floor(nowMs / lengthMs), lengthMs };
}

function refused({ window, lengthMs }: SignInWindow, nowMs: number): SignInTry {
  return {
    isAllowed: false,
    retryAfterSec: Math.max(1, Math.ceil(((window + 1) * lengthMs - nowMs) / 1000)),
  };
}

/**
 * Returns what is counted as one address: an IPv4 address, or the first 64 bits of an IPv6 one, because a household has
 * that many addresses. Some proxies write a port behind it. All that is no address is counted together.
 */
export function networkOf(address: string): string {
  const ipv4 = /^(\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?$/.exec(address)?.[1];
  if (ipv4 !== undefined) return ipv4;
  const ipv6 = /^\[(.*)\](?::\d{1,5})?$/.exec(address)?.[1] ?? address;
  const hostname = URL.parse(`http://[${ipv6.replace(/%.*$/, "")}]`)?.hostname;
  if (hostname === undefined) return "unknown";
  const groups = groupsOf(hostname.slice(1, -1));
  const mapped = /^0:0:0:0:0:ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(groups.join(":"));
  if (mapped !== null) return ipv4Of(parseInt(mapped[1] ?? "", 16), parseInt(mapped[2] ?? "", 16));
  return `${groups.slice(0, 4).join(":")}::/64`;
}

/** The eight groups of an address as a URL writes it. */
function groupsOf(ipv6: string): readonly string[] {
  const [head = "", tail] = ipv6.split("::");
  const before = head.split(":").filter((group) => group !== "");
  const after = (tail ?? "").split(":").filter((group) => group !== "");
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array.from({ length: zeros }, () => "0"), ...after];
}

function ipv4Of(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
