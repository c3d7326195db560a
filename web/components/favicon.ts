/** The state of the fleet in the favicon. */
export type FaviconState = "good" | "warn" | "bad";

/** The path of the brand's letter. */
export const BRAND_PATH = "M2 11V5l6 6V5l6 6V5";

/** Colours that are visible on light and dark tabs and behind white. */
const COLOURS: Readonly<Record<FaviconState, string>> = { good: "#15814c", warn: "#b06a00", bad: "#d42f2f" };

/** Each state has its own shape, because not everyone sees colours. */
const SHAPES: Readonly<Record<FaviconState, string>> = {
  good: "M16 0a16 16 0 1 1 0 32 16 16 0 0 1 0-32z",
  warn: "M13.4 1.6a3 3 0 0 1 5.2 0l13 25.4a3 3 0 0 1-2.6 4.5H3a3 3 0 0 1-2.6-4.5z",
  bad: "M5 0h22a5 5 0 0 1 5 5v22a5 5 0 0 1-5 5H5a5 5 0 0 1-5-5V5a5 5 0 0 1 5-5z",
};

/** The sign in the shape: the brand's letter, an exclamation mark or a cross. */
const SIGNS: Readonly<Record<FaviconState, string>> = {
  good: "M6 20.5v-9l10 9v-9l10 9v-9",
  warn: "M16 10.5v9M16 25.6v.2",
  bad: "M9.5 9.5l13 13M22.5 9.5l-13 13",
};

/** Returns the favicon without inline styles, which the content security policy forbids. */
export function faviconSvg(state: FaviconState): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="${SHAPES[state]}" ` +
    `fill="${COLOURS[state]}"/><path d="${SIGNS[state]}" fill="none" stroke="#fff" stroke-width="4" ` +
    `stroke-linejoin="round" stroke-linecap="round"/></svg>`;
}

/** Returns the state in a query; `good` for anything else. */
export function faviconState(query: string | undefined): FaviconState {
  return query === "warn" || query === "bad" ? query : "good";
}
