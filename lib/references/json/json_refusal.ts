import { RefusedError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";

/** Limits for messages, whose names and numbers come from the text's author. */
const PATH_STEPS_MAX = 12;
const PATH_NAME_LENGTH_MAX = 80;
export const LEXEME_LENGTH_MAX = 40;

/** Returns the error for a text that cannot be read. */
export function notJson(what: string, problem: string): RefusedError {
  return new RefusedError(`Cannot read ${what}: it is not JSON that can be synced: ${problem}`, {
    code: "JSON_INVALID",
    hint: "correct it where it comes from and run again; nothing was changed",
  });
}

/** Returns the character at an index, in quotes. */
export function characterAt(text: string, at: number): string {
  return quote(String.fromCodePoint(text.codePointAt(at) ?? 0));
}

/** Returns the path of a value: `Deliberate.config.files[0].size`. */
export function pathText(path: readonly (string | number)[]): string {
  if (path.length === 0) return "the value";
  const steps = path.slice(0, PATH_STEPS_MAX).map((step, index) => {
    if (typeof step === "number") return `[${step}]`;
    const name = /^[\w-]{1,80}$/.test(step) ? step : quote(step.slice(0, PATH_NAME_LENGTH_MAX));
    return index === 0 ? name : `.${name}`;
  });
  return steps.join("") + (path.length > PATH_STEPS_MAX ? "…" : "");
}

/** Returns line and column of an index. */
export function placeIn(text: string, at: number): string {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  const column = Array.from(before.slice(before.lastIndexOf("\n") + 1)).length + 1;
  return `line ${line}, column ${column}`;
}
