/** What the favicon shows of the fleet. */
export type FaviconState = "good" | "warn" | "bad";

/** A browser's tab may be light or dark: these are seen on both. */
const COLOURS: Readonly<Record<FaviconState, string>> = { good: "#1f9d61", warn: "#d18a00", bad: "#e0413a" };

/** Each state has a shape of its own, because a colour alone is not seen by everybody. */
const BADGES: Readonly<Record<FaviconState, string>> = {
  good: "",
  warn: "M23 15l8 14H15z",
  bad: "M16 16h14v14H16z",
};

/** The letter of the brand: two releases, one after the other. */
export const BRAND_PATH = "M2 11V5l6 6V5l6 6V5";

/**
 * Returns the favicon: the brand in the colour of the fleet's state, with a triangle or a square where there is trouble.
 * It has no style of its own, because the content security policy allows none.
 */
export function faviconSvg(state: FaviconState): string {
  const colour = COLOURS[state];
  const badge = BADGES[state];
  const mark = badge === "" ? "" : `<path d="${badge}" fill="${colour}" stroke="#fff" stroke-width="2"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path transform="scale(2)" d="${BRAND_PATH}" ` +
    `fill="none" stroke="${colour}" stroke-width="2.2" stroke-linejoin="round" stroke-linecap="round"/>${mark}</svg>`;
}

/** Returns the state that a query names; good for anything else. */
export function faviconState(query: string | undefined): FaviconState {
  return query === "warn" || query === "bad" ? query : "good";
}
