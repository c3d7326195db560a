import {
  countSignIn,
  isSignInWindowFull,
  type SignInWindow,
  uncountSignIn,
} from "../store/sign_in_counts.ts";
import type { Web } from "../shared/web.ts";

/** Wrong passwords of one address. A person needs about three attempts. */
const ADDRESS_FAILURES_MAX = 10;
const ADDRESS_WINDOW_MS = 15 * 60_000;
/**
 * Wrong passwords of all addresses. An attacker with many addresses can block new sign-ins for the rest of the hour.
 * Existing sessions and tokens are not affected. The limit also bounds the stored counts.
 */
const ALL_FAILURES_MAX = 100;
const ALL_WINDOW_MS = 60 * 60_000;
const ALL = "*";

/** A sign-in attempt that has been counted. */
export type SignInTry =
  | { readonly isAllowed: true; readonly succeed: () => Promise<void> }
  | { readonly isAllowed: false; readonly retryAfterSec: number };

/**
 * Counts a sign-in attempt before the password is checked, because otherwise many concurrent attempts would all be
 * checked. A successful one is subtracted again. The counts are in the database, so that they apply to all instances.
 *
 * Windows begin at full quarters of an hour, so an address may use two windows in a short time. A clock that is set
 * back returns to an earlier window, which still has its count.
 */
export async function trySignIn(web: Web, address: string): Promise<SignInTry> {
  const nowMs = web.clock.now().getTime();
  const all = windowOf(ALL, ALL_WINDOW_MS, nowMs);
  const own = windowOf(networkOf(address), ADDRESS_WINDOW_MS, nowMs);
  if (await isSignInWindowFull(web.kv, own, ADDRESS_FAILURES_MAX)) return refused(own, nowMs);
  // This one first: if it is full, no count is stored for another address.
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
 * Returns the network that is counted as one address: an IPv4 address, or the first 64 bits of an IPv6 address, because
 * a household has that many. A port, which some proxies append, is ignored. Invalid addresses are counted together.
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

/** Returns the eight groups of an IPv6 address in the notation of URLs. */
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
