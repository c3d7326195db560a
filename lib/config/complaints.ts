import { distance } from "fastest-levenshtein";
import type * as z from "zod";
import { type KeySchema, sectionTree } from "./keys.ts";
import { describeOrigin, type Origin, originAbove } from "./config_error.ts";
import { isRemoved } from "./removed_settings.ts";

/** The largest edit distance of a suggestion. Beyond it, a suggestion is a guess. */
const TYPING_ERRORS_MAX = 3;

/** The most complaints of one load. A file of another program causes thousands, and finding each place costs time. */
export const COMPLAINTS_MAX = 100;

/** Returns the complaints for an issue. Each names the place, the setting, the fault and a suggestion if one is near. */
export function describeIssue(issue: z.core.$ZodIssue, origins: ReadonlyMap<string, Origin>): string[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(path);
    return issue.keys.slice(0, COMPLAINTS_MAX).map((key) => {
      const full = [...path, key];
      const setting = `${placeOf(full, origins)}${nameOf(full)}`;
      if (isRemoved(full)) return `${setting} was removed: delete this line`;
      return `${setting} is not a setting${suggestion(key, known)}`;
    });
  }
  const above = originAbove(path, origins);
  // The operator typed the option, and not the setting that it replaces.
  const place = above?.kind === "flag" ? above.name : `${placeOf(path, origins)}${nameOf(path)}`;
  const message = reasonOf(issue);
  if (issue.code === "invalid_type" && issue.input === undefined) return [`${place} is missing`];
  if (issue.code !== "invalid_value") return [`${place}: ${message}`];
  if (issue.input === undefined) return [`${place} is missing: ${message}`];
  return [`${place}: ${message}${suggestion(givenText(issue), issue.values.map(String))}`];
}

/** Returns what a value must be, in words that continue its name: `must not be empty`. */
export function reasonOf(issue: z.core.$ZodIssue): string {
  return limitOf(issue) ?? issue.message.replace(/^Invalid (?:input|option): /, "");
}

/**
 * Returns `; did you mean "branch"?` for the nearest candidate, else for the only candidate that continues the typed
 * word: `--poll-interval-sec` for `--poll-interval-sec-runpod`. Returns an empty text if there is none.
 */
export function suggestion(typed: string, candidates: readonly string[]): string {
  if (typed === "" || candidates.length === 0) return "";
  const lower = typed.toLowerCase();
  const ranked = candidates.map((candidate) => ({
    candidate,
    known: candidate.toLowerCase(),
    errors: typingErrors(lower, candidate.toLowerCase()),
  })).sort((one, other) => one.errors - other.errors);
  const limit = Math.min(TYPING_ERRORS_MAX, Math.ceil(typed.length / 3));
  const near = ranked.filter(({ errors }) => errors <= limit);
  const meant = near.length > 0
    ? near
    : ranked.filter(({ known }) => known.startsWith(`${lower}-`) || known.startsWith(`${lower}_`));
  return near.length > 0 || meant.length === 1 ? `; did you mean "${meant[0]?.candidate}"?` : "";
}

/** Returns the number of edits between two words. Two neighbouring letters in the wrong order are one edit. */
function typingErrors(typed: string, known: string): number {
  // A typed value can have megabytes, and words of such lengths are no candidates.
  if (Math.abs(typed.length - known.length) > TYPING_ERRORS_MAX) return Infinity;
  const swapped = Array.from(
    { length: typed.length - 1 },
    (_, at) => typed.slice(0, at) + typed.charAt(at + 1) + typed.charAt(at) + typed.slice(at + 2),
  );
  return Math.min(distance(typed, known), ...swapped.map((word) => 1 + distance(word, known)));
}

/** How a value of a kind is measured: texts and lists have a length, numbers a size. */
const MEASURES: Readonly<Record<string, readonly [verb: string, unit: string]>> = {
  string: ["have", " characters"],
  array: ["have", " entries"],
};

/** Returns the limit that a value exceeds, in words; `undefined` where the schema has words of its own. */
function limitOf(issue: z.core.$ZodIssue): string | undefined {
  if (issue.code !== "too_small" && issue.code !== "too_big") return undefined;
  if (!/^Too (?:small|big): /.test(issue.message)) return undefined;
  const [verb, unit] = MEASURES[issue.origin] ?? ["be", ""];
  const isInclusive = issue.inclusive !== false;
  if (issue.code === "too_big") {
    return `must ${verb} ${isInclusive ? "at most" : "less than"} ${issue.maximum}${unit}`;
  }
  if (unit !== "" && Number(issue.minimum) === 1) return "must not be empty";
  return `must ${verb} ${isInclusive ? "at least" : "more than"} ${issue.minimum}${unit}`;
}

function givenText(issue: z.core.$ZodIssue): string {
  return typeof issue.input === "string" ? issue.input : "";
}

function nameOf(path: readonly string[]): string {
  return ["model_sync", ...path].join(".");
}

/** Returns the place of the setting, or of the nearest setting above or below it that has an origin. */
function placeOf(path: readonly string[], origins: ReadonlyMap<string, Origin>): string {
  for (let length = path.length; length > 0; length--) {
    const name = path.slice(0, length).join(".");
    const origin = origins.get(name) ?? [...origins].find(([key]) => key.startsWith(`${name}.`))?.[1];
    if (origin !== undefined) return `${describeOrigin(origin)}: `;
  }
  return "";
}

function knownKeys(path: readonly string[]): string[] {
  let schema: KeySchema | undefined = sectionTree();
  for (const name of path) schema = schema?.properties?.[name];
  return Object.keys(schema?.properties ?? {});
}
