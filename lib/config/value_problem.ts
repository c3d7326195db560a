/** A configuration has a few hundred values. Aliases of YAML can turn a few lines into millions. */
const VALUES_MAX = 20_000;

/** The depth limit of the YAML parser without aliases. Later steps process values by recursion. */
const DEPTH_MAX = 100;

/** A fault that no setting may have. */
export interface ValueProblem {
  /** The place inside the value. */
  readonly path: readonly string[];
  /** Continues the setting's name: `contains itself`. */
  readonly reason: string;
}

/**
 * Returns the fault of a value from a file, a variable or an option: it contains itself, is too large or too deep, or
 * contains characters that end a path or a key that changes a prototype. Returns `undefined` for a value without fault.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { valueProblem } from "./value_problem.ts";
 * const circle: unknown[] = [];
 * circle.push(circle);
 * assert.deepEqual(valueProblem({ a: circle }), { path: ["a", "0"], reason: "contains itself" });
 * assert.equal(valueProblem({ branch: "main" }), undefined);
 * ```
 */
export function valueProblem(value: unknown): ValueProblem | undefined {
  return new Walk().problemOf(value, []);
}

class Walk {
  readonly #above = new Set<object>();
  #count = 0;

  problemOf(value: unknown, path: readonly string[]): ValueProblem | undefined {
    if (++this.#count > VALUES_MAX) return { path, reason: `contains more than ${VALUES_MAX} values` };
    if (typeof value === "string") return textProblem(value, path);
    if (typeof value !== "object" || value === null) return undefined;
    if (this.#above.has(value)) return { path, reason: "contains itself" };
    if (path.length >= DEPTH_MAX) return { path, reason: `is nested deeper than ${DEPTH_MAX} levels` };
    this.#above.add(value);
    const problem = this.#problemInside(value, path);
    this.#above.delete(value);
    return problem;
  }

  #problemInside(value: object, path: readonly string[]): ValueProblem | undefined {
    for (const [key, child] of Object.entries(value)) {
      if (key === "__proto__") return { path, reason: "contains the key __proto__, which no setting has" };
      if (key.includes("\0")) return { path, reason: "contains a key with a NUL character" };
      if (!key.isWellFormed()) return { path, reason: "contains a key that is not valid Unicode" };
      const problem = this.problemOf(child, [...path, key]);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
}

/** A NUL ends a path, and half of a surrogate pair cannot be part of an address or a file name. */
function textProblem(text: string, path: readonly string[]): ValueProblem | undefined {
  if (text.includes("\0")) return { path, reason: "contains a NUL character" };
  return text.isWellFormed()
    ? undefined
    : { path, reason: "is not valid Unicode: it contains half of a surrogate pair" };
}
