import { UNSHOWN } from "../../lib/core/control_characters.ts";

/**
 * Returns an untrusted text with every control, invisible and direction-changing character spelled out, so that no name
 * can look like another.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { shownText } from "./shown_text.ts";
 * assert.equal(shownText("bot-\u202esirap"), "bot-\\u202esirap");
 * assert.equal(shownText("bot paris"), "bot paris");
 * ```
 */
export function shownText(text: string): string {
  return text.toWellFormed().replace(UNSHOWN, spelled);
}

function spelled(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
}
