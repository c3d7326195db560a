/** The invisible comment at the end of a pull request's body. */
export interface Marker {
  /** The digest of the proposed content: `sha256:…`. */
  readonly content: string | undefined;
  /** Whether this program closed it, not a person. */
  readonly isClosedByUs: boolean;
  /** The parts that the pull request still lacks. */
  readonly pending: readonly DressPart[];
}

/** The parts of a pull request besides its text. */
export const DRESS_PARTS = ["labels", "reviewers", "team"] as const;
export type DressPart = (typeof DRESS_PARTS)[number];

const MARKERS = /<!--\s*model-sync:([^>]*?)-->/gi;

/** GitHub's limit for a body, in characters. */
const BODY_CHARS_MAX = 65_536;

/**
 * Returns the marker of a body. People may have edited it: the last marker counts, with any text around its parts.
 * Without a marker, its values are empty.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readMarker, withMarker } from "./marker.ts";
 * const marker = { content: "sha256:ab12", isClosedByUs: false, pending: [] };
 * const body = withMarker("Two models.", marker);
 * assert.equal(body, "Two models.\n\n<!-- model-sync: content=sha256:ab12 -->");
 * assert.deepEqual(readMarker(body), marker);
 * assert.deepEqual(readMarker(null), { ...marker, content: undefined });
 * ```
 */
export function readMarker(body: string | null): Marker {
  const last = Array.from((body ?? "").matchAll(MARKERS)).at(-1);
  const parts = (last?.[1] ?? "").split(/\s+/);
  const [content] = parts.flatMap((part) => /^content=(sha256:[0-9a-f]+)$/i.exec(part)?.[1] ?? []);
  const pending = parts.flatMap((part) => /^pending=(\S+)$/.exec(part)?.[1]?.split(",") ?? []);
  return {
    content: content?.toLowerCase(),
    isClosedByUs: parts.includes("closed-by=model-sync"),
    pending: DRESS_PARTS.filter((part) => pending.includes(part)),
  };
}

/** Returns a body with this marker at its end and no other, cut to GitHub's limit. */
export function withMarker(body: string, { content, isClosedByUs, pending }: Marker): string {
  const parts = [
    ...(content === undefined ? [] : [`content=${content}`]),
    ...(isClosedByUs ? ["closed-by=model-sync"] : []),
    ...(pending.length === 0 ? [] : [`pending=${pending.join(",")}`]),
  ];
  const end = parts.length === 0 ? "" : `\n\n<!-- model-sync: ${parts.join(" ")} -->`;
  const text = body.replace(MARKERS, "").trimEnd();
  // Does not cut a surrogate pair in two.
  return text.slice(0, BODY_CHARS_MAX - end.length).replace(/[\ud800-\udbff]$/, "") + end;
}
