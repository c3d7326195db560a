/** What a comment at the end of a pull request's body says, which no reader sees. */
export interface Marker {
  /** The digest of the content that is proposed: `sha256:…`. */
  readonly content: string | undefined;
  /** We closed it, no human did. */
  readonly isClosedByUs: boolean;
}

const MARKERS = /<!--\s*model-sync:([^>]*?)-->/gi;

/** The longest body that GitHub takes, in characters. */
const BODY_CHARS_MAX = 65_536;

/**
 * Reads the marker of a body. Bodies are edited by people: the last marker counts, whatever stands around and between
 * its parts; without one nothing is known.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readMarker, withMarker } from "./marker.ts";
 * const body = withMarker("Two models.", { content: "sha256:ab12", isClosedByUs: false });
 * assert.equal(body, "Two models.\n\n<!-- model-sync: content=sha256:ab12 -->");
 * assert.deepEqual(readMarker(body), { content: "sha256:ab12", isClosedByUs: false });
 * assert.deepEqual(readMarker(null), { content: undefined, isClosedByUs: false });
 * ```
 */
export function readMarker(body: string | null): Marker {
  const last = Array.from((body ?? "").matchAll(MARKERS)).at(-1);
  const parts = (last?.[1] ?? "").split(/\s+/);
  const [content] = parts.flatMap((part) => /^content=(sha256:[0-9a-f]+)$/i.exec(part)?.[1] ?? []);
  return { content: content?.toLowerCase(), isClosedByUs: parts.includes("closed-by=model-sync") };
}

/** A body with this marker at its end and no other; cut where GitHub would not take it. */
export function withMarker(body: string, { content, isClosedByUs }: Marker): string {
  const parts = [
    ...(content === undefined ? [] : [`content=${content}`]),
    ...(isClosedByUs ? ["closed-by=model-sync"] : []),
  ];
  const end = parts.length === 0 ? "" : `\n\n<!-- model-sync: ${parts.join(" ")} -->`;
  const text = body.replace(MARKERS, "").trimEnd();
  // A pair of surrogates is not cut in two.
  return text.slice(0, BODY_CHARS_MAX - end.length).replace(/[\ud800-\udbff]$/, "") + end;
}
