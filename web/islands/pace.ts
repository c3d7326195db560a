/** How often a page requests updates, as pure functions. All times are in milliseconds. */

/**
 * A page is fetched at most once in this time, although a fleet of a thousand nodes sends several messages a second.
 */
const REFRESH_GAP = 1_000;

/** Spreads the requests of readers who get the same message at the same moment. */
const JITTER_MAX = 300;

/** Returns the delay before a refresh. @param sinceLast time since the last refresh began @param random from 0 to 1 */
export function refreshDelay(sinceLast: number, random: number): number {
  return Math.max(0, REFRESH_GAP - sinceLast) + Math.floor(random * JITTER_MAX);
}

const RETRY_MIN = 1_000;
const RETRY_MAX = 30_000;

/** Returns the delay after consecutive failures: doubles each time, up to half a minute. */
export function retryDelay(failures: number, random: number): number {
  // The exponent is bounded, so that many failures do not overflow.
  const whole = Math.min(RETRY_MAX, RETRY_MIN * 2 ** Math.min(failures - 1, 10));
  return Math.floor(whole * (0.75 + random / 4));
}

/** How long a hidden tab keeps its stream: browsers allow six connections to a server for all tabs together. */
export const HIDDEN_GRACE = 10_000;

/** How often a hidden tab is refreshed, for its title and icon. */
export const HIDDEN_GAP = 60_000;
