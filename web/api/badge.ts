import { shortDigest } from "../../lib/release/manifest.ts";
import type { NodeView } from "../fleet/node_view.ts";
import { spoken, type Tone, toneOfState } from "../fleet/tone.ts";
import { shownText } from "../shared/shown_text.ts";

/** Colours that are visible on light and dark pages and behind white text. */
const COLOURS: Readonly<Record<Tone | "unknown", string>> = {
  good: "#1a7f4e",
  quiet: "#5c6773",
  warn: "#9a6700",
  bad: "#c2352c",
  calm: "#2f6fb3",
  unknown: "#5c6773",
};
const LABEL_COLOUR = "#30363d";

/** Longer texts would not fit into a line of a README. */
const TEXT_CHARS_MAX = 40;
/** Width of Verdana at 11 px. `textLength` fits the text to the badge in any font. */
const CHAR_WIDTH = 6.6;
const PADDING = 6;

/** Returns the badge of a node: its name and its state or active release. */
export function badgeOf({ row, state }: NodeView, show: "state" | "release"): string {
  const { node, active } = row;
  const tone = toneOfState(state.kind);
  if (show === "state") return badgeSvg(node, spoken(state.kind), COLOURS[tone]);
  const release = active === null
    ? "no release"
    : [...(active.sequence === undefined ? [] : [active.sequence]), shortDigest(active.digest)].join(" · ");
  return badgeSvg(node, release, COLOURS[tone]);
}

function badgeSvg(label: string, value: string, colour: string): string {
  const [left, right] = [cut(shownText(label)), cut(shownText(value))];
  const [leftWidth, rightWidth] = [widthOf(left), widthOf(right)];
  const width = leftWidth + rightWidth;
  const title = escapeXml(`${left}: ${right}`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" role="img" aria-label="${title}">` +
    `<title>${title}</title>` +
    `<rect width="${width}" height="20" rx="3" fill="${LABEL_COLOUR}"/>` +
    `<path d="M${leftWidth} 0h${
      rightWidth - 3
    }a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H${leftWidth}z" fill="${colour}"/>` +
    `<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">` +
    textSvg(left, PADDING, leftWidth) + textSvg(right, leftWidth + PADDING, rightWidth) + `</g></svg>`;
}

function textSvg(text: string, x: number, width: number): string {
  return `<text x="${x}" y="14" textLength="${width - 2 * PADDING}">${escapeXml(text)}</text>`;
}

function widthOf(text: string): number {
  return Math.round(Array.from(text).length * CHAR_WIDTH) + 2 * PADDING;
}

function cut(text: string): string {
  const characters = Array.from(text);
  return characters.length <= TEXT_CHARS_MAX ? text : `${characters.slice(0, TEXT_CHARS_MAX - 1).join("")}…`;
}

function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The badge for an unknown node. */
export const UNKNOWN_BADGE = badgeSvg("model-sync", "unknown node", COLOURS.unknown);
