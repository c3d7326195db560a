/** How often the page asks the server, as pure functions. All times are milliseconds. */

/** A fleet of a thousand nodes sends several messages a second: a page is fetched once in this time. */
export const REFRESH_GAP = 1_000;

/** The readers of a page get the same message at once and should not all ask at once. */
const JITTER_MAX = 300;

/** Returns how long a refresh waits. @param sinceLast since the last one began @param random from 0 to 1 */
export function refreshDelay(sinceLast: number, random: number): number {
  return Math.max(0, REFRESH_GAP - sinceLast) + Math.floor(random * JITTER_MAX);
}

const RETRY_MIN = 1_000;
const RETRY_MAX = 30_000;

/** Returns how long to wait after some failures in a row: twice as long each time, half a minute at most. */
export function retryDelay(failures: number, random: number): number {
  // The exponent is bounded, so that a night of failures does not overflow.
  const whole = Math.min(RETRY_MAX, RETRY_MIN * 2 ** Math.min(failures - 1, 10));
  return Math.floor(whole * (0.75 + random / 4));
}

/** A hidden tab holds no stream: browsers allow six connections to a server, for all tabs together. */
export const HIDDEN_GRACE = 10_000;

/** Its title and icon still show the state. */
export const HIDDEN_GAP = 60_000;
