/** A configuration has some hundred values; aliases of YAML can make millions of a few lines. */
const VALUES_MAX = 20_000;

/** As deep as the YAML parser goes without aliases; what handles a value later goes by recursion. */
const DEPTH_MAX = 100;

/** What makes a value of the configuration unusable whatever the setting is. */
export interface ValueProblem {
  /** Where it is inside the value. */
  readonly path: readonly string[];
  /** `contains itself`: follows the name of the setting. */
  readonly reason: string;
}

/**
 * Returns why a value from a file, a variable or an option must not go any further: it contains itself, is larger than
 * any configuration, or holds what would end a path or change a prototype. `undefined` when nothing is wrong.
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
    if (++this.#count > VALUES_MAX) return { path, reason: `holds more than ${VALUES_MAX} values` };
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
      if (key === "__proto__") return { path, reason: "holds the key __proto__, which no setting has" };
      if (key.includes("\0")) return { path, reason: "holds a key with a NUL character" };
      if (!key.isWellFormed()) return { path, reason: "holds a key that is not valid Unicode" };
      const problem = this.problemOf(child, [...path, key]);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
}

/** A NUL ends a path, and half of a surrogate pair has no place in an address or a file's name. */
function textProblem(text: string, path: readonly string[]): ValueProblem | undefined {
  if (text.includes("\0")) return { path, reason: "holds a NUL character" };
  return text.isWellFormed()
    ? undefined
    : { path, reason: "is not valid Unicode: it holds half of a surrogate pair" };
}
