/** One small change to a source file that a test should notice. */
export interface Mutant {
  /** Counted from 1. */
  readonly line: number;
  readonly change: string;
  /** The whole file with the change. */
  readonly text: string;
}

/** Replacements of operators and words. The spaces tell operators from type arguments, arrows and signs. */
const REPLACEMENTS: readonly (readonly [from: string, to: string])[] = [
  [" === ", " !== "],
  [" !== ", " === "],
  [" <= ", " < "],
  [" < ", " <= "],
  [" >= ", " > "],
  [" > ", " >= "],
  [" && ", " || "],
  [" || ", " && "],
  [" + ", " - "],
  [" - ", " + "],
  ["return true;", "return false;"],
  ["return false;", "return true;"],
];

/** Lines without behaviour, or whose text is no promise: imports, types, messages of the log. */
const UNPROMISED =
  /^(?:import|export (?:type|interface)|\} from|type|interface)\b|\blog\.(?:debug|info|warn)\(/;

/** A line that is one call and nothing else. */
const CALL = /^\s+(?:await )?[\w.]+(?:\([^;]*\))+;$/;

/**
 * Returns the mutants of a TypeScript file: changed operators, conditions that are always or never true, calls and throws
 * that are left out. Comments and literals stay unchanged.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { mutantsOf } from "./mutants.ts";
 * const changesOf = (line: string) => mutantsOf(`${line}\n`).map(({ change }) => change);
 * assert.deepEqual(changesOf("if (size > max) throw error;"), [" > becomes >=", "if (true)", "if (false)"]);
 * assert.deepEqual(changesOf("if (size === max) throw error;"), ["if (true)", "if (false)"]);
 * ```
 */
export function mutantsOf(text: string): Mutant[] {
  const code = maskLiterals(text);
  const starts = lineStarts(text);
  return starts.flatMap((start, index) => {
    const end = text.indexOf("\n", start);
    const masked = code.slice(start, end);
    if (UNPROMISED.test(masked.trimStart())) return [];
    const replace = (from: number, to: number, by: string, change: string): Mutant => ({
      line: index + 1,
      change,
      text: text.slice(0, start + from) + by + text.slice(start + to),
    });
    return [
      ...replacedOperators(masked, replace),
      ...fixedConditions(masked, replace),
      ...leftOut(masked, replace),
    ];
  });
}

type Replace = (from: number, to: number, by: string, change: string) => Mutant;

function replacedOperators(line: string, replace: Replace): Mutant[] {
  const conditions = conditionsIn(line);
  // The condition as a whole is also fixed to true and to false. A test that notices both notices that it is reversed.
  const isWholeEquality = (at: number, operator: string) =>
    /[!=]==/.test(operator) &&
    conditions.some(({ open, close }) =>
      open < at && at < close && !/&&|\|\||=>/.test(line.slice(open, close))
    );
  return REPLACEMENTS.flatMap(([from, to]) =>
    indexesOf(line, from).filter((at) => !isWholeEquality(at, from)).map((at) =>
      replace(at, at + from.length, to, `${from.trimEnd()} becomes ${to.trim()}`)
    )
  );
}

function fixedConditions(line: string, replace: Replace): Mutant[] {
  return conditionsIn(line).flatMap(({ open, close }) =>
    ["true", "false"].map((value) => replace(open, close + 1, `(${value})`, `if (${value})`))
  );
}

/** Returns where the brackets of conditions are that begin and end on the line. */
function conditionsIn(line: string): { readonly open: number; readonly close: number }[] {
  return indexesOf(line, "if (").flatMap((at) => {
    const [open, close] = [at + "if ".length, closingBracket(line, at + "if ".length)];
    return close === undefined ? [] : [{ open, close }];
  });
}

function leftOut(line: string, replace: Replace): Mutant[] {
  return CALL.test(line) ? [replace(0, line.length, "", "without this call")] : [];
}

function indexesOf(line: string, part: string): number[] {
  const found = [];
  for (let at = line.indexOf(part); at !== -1; at = line.indexOf(part, at + 1)) found.push(at);
  return found;
}

/** Returns the index of the bracket that closes the one at an index, if it is on the same line. */
function closingBracket(line: string, open: number): number | undefined {
  let depth = 0;
  for (let at = open; at < line.length; at++) {
    if (line[at] === "(") depth++;
    if (line[at] === ")" && --depth === 0) return at;
  }
  return undefined;
}

function lineStarts(text: string): number[] {
  return [0, ...indexesOf(text, "\n").map((at) => at + 1)].filter((at) => at < text.length);
}

/** Returns the text with underscores in place of the content of comments, strings, templates and regular expressions. */
function maskLiterals(text: string): string {
  const literal =
    /\/\*[^]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|(?<=[(,=:?|&!]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//g;
  return text.replace(literal, (found) => found.replace(/[^\n]/g, "_"));
}
