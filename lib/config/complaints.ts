import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";
import { type KeySchema, sectionTree } from "./keys.ts";
import { describeOrigin, type Origin } from "./layers.ts";

/** Further away than this, a suggestion is a guess. */
const TYPING_ERRORS_MAX = 3;

/** A file of another kind may give thousands; finding the place of each takes time, and nobody reads them. */
export const COMPLAINTS_MAX = 100;

/** The lines that tell a user what is wrong with a setting, where it stands, and what may have been meant. */
export function describeIssue(issue: z.core.$ZodIssue, origins: ReadonlyMap<string, Origin>): string[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(path);
    return issue.keys.slice(0, COMPLAINTS_MAX).map((key) => {
      const full = [...path, key];
      return `${placeOf(full, origins)}${nameOf(full)} is no setting${suggestion(key, known)}`;
    });
  }
  const place = `${placeOf(path, origins)}${nameOf(path)}`;
  const message = issue.message.replace(/^Invalid (?:input|option): /, "");
  if (issue.code === "invalid_type" && issue.input === undefined) return [`${place} is missing`];
  if (issue.code !== "invalid_value") return [`${place}: ${message}`];
  if (issue.input === undefined) return [`${place} is missing: ${message}`];
  return [`${place}: ${message}${suggestion(givenText(issue), issue.values.map(String))}`];
}

/** `; did you mean "branch"?`, when one of the candidates is near enough. */
export function suggestion(typed: string, candidates: readonly string[]): string {
  if (typed === "" || candidates.length === 0) return "";
  const lower = typed.toLowerCase();
  const nearest = closest(lower, candidates.map((candidate) => candidate.toLowerCase()));
  const limit = Math.min(TYPING_ERRORS_MAX, Math.ceil(typed.length / 2));
  if (distance(lower, nearest) > limit) return "";
  return `; did you mean "${candidates.find((candidate) => candidate.toLowerCase() === nearest)}"?`;
}

function givenText(issue: z.core.$ZodIssue): string {
  return typeof issue.input === "string" ? issue.input : "";
}

function nameOf(path: readonly string[]): string {
  return ["model_sync", ...path].join(".");
}

/** The place of the setting, or of the nearest thing above or below it that has one. */
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
