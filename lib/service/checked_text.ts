import { createHash } from "node:crypto";
import * as z from "zod";
import { ROLES } from "../config/roles.ts";

/**
 * Generated texts carry a checksum of themselves, by which a later installation finds out whether an operator edited them.
 * The checksum may be anywhere in the text: it is computed with this word in its place.
 */
const PLACEHOLDER = "CHECKSUM";

const MARK = /Written by model-sync service install (\{.*\}) \(checksum ([0-9a-f]{64})\)/;

/** The choices of an installation that are not in the configuration. The text keeps them for `status` and `uninstall`. */
const ServiceChoices = z.object({
  timer: z.boolean().optional(),
  account: z.string().optional(),
  program: z.string().optional(),
  healthListen: z.string().optional(),
  logFormat: z.enum(["text", "json"]).optional(),
});
export type ServiceChoices = Readonly<z.infer<typeof ServiceChoices>>;

const Mark = z.object({
  project: z.string(),
  choices: ServiceChoices,
  /** Earlier texts do not name them. */
  roles: z.array(z.enum(ROLES)).optional(),
});
export type Mark = Readonly<z.infer<typeof Mark>>;

/** Returns the words that mark a generated text, for {@link withChecksum}. They are one line. */
export function markOf(
  { project, choices, roles }: { readonly [Name in keyof Mark]: Readonly<Mark[Name]> },
): string {
  return `Written by model-sync service install ${
    JSON.stringify({ project, choices, roles })
  } (checksum ${PLACEHOLDER})`;
}

/** Returns a text with its checksum in the place that {@link markOf} left for it. */
export function withChecksum(text: string): string {
  return text.replace(`(checksum ${PLACEHOLDER})`, `(checksum ${checksum(text)})`);
}

/** How a present text relates to the one that would be written. */
export type TextState =
  | "missing"
  | "current"
  /** Of another version or of other settings. */
  | "outdated"
  /** Edited after it was written. */
  | "edited"
  /** Of a service for another project. */
  | "another project's"
  /** Not written by this program. */
  | "foreign";

/**
 * Compares a present text with the one that would be written.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { compareTexts, markOf, withChecksum } from "./checked_text.ts";
 * const mark = markOf({ project: "/srv/bot", choices: {} });
 * const wanted = withChecksum(`# ${mark}\nB=2\n`);
 * const earlier = withChecksum(`# ${mark}\nB=1\n`);
 * assert.equal(compareTexts(earlier, wanted), "outdated");
 * assert.equal(compareTexts(earlier.replace("B=1", "B=3"), wanted), "edited");
 * assert.equal(compareTexts("B=1\n", wanted), "foreign");
 * ```
 */
export function compareTexts(present: string | undefined, wanted: string): TextState {
  if (present === undefined) return "missing";
  if (present === wanted) return "current";
  const mark = readMark(present);
  if (mark === undefined) return "foreign";
  const [, , found = ""] = MARK.exec(present) ?? [];
  const original = present.replace(`(checksum ${found})`, `(checksum ${PLACEHOLDER})`);
  if (checksum(original) !== found) return "edited";
  return mark.project === readMark(wanted)?.project ? "outdated" : "another project's";
}

/** Returns the choices with which a text was written; `undefined` if this program did not write it. */
export function choicesOf(present: string | undefined): ServiceChoices | undefined {
  return present === undefined ? undefined : readMark(present)?.choices;
}

/** Returns what a generated text says of itself; `undefined` for any other text. */
export function readMark(text: string): Mark | undefined {
  const [, json] = MARK.exec(text) ?? [];
  if (json === undefined) return undefined;
  try {
    // XML allows no two dashes inside a comment.
    return Mark.parse(JSON.parse(json.replaceAll("- -", "--")));
  } catch {
    // Another program's text, or an edited one.
    return undefined;
  }
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
