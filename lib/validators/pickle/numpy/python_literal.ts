/** A value in the notation of Python's `repr()`. Numbers are not negative. */
export type Literal =
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "tuple" | "list"; readonly items: readonly Literal[] }
  | { readonly kind: "dict"; readonly entries: ReadonlyMap<string, Literal> };

/** Nested lists: a record has two levels for each record around it. */
const DEPTH_MAX = 64;

/** A string without escapes, a number (also in Python 2's notation), a boolean, or a sign. */
const TOKEN = /\s*(?:'([^'\\\n]*)'|"([^"\\\n]*)"|(\d{1,20})L?|(True|False)|([()[\]{},:]))/y;

/**
 * Reads a Python literal. Returns `undefined` for anything but the plainest notation: for escapes, comments, expressions and
 * duplicate keys. The result means the same to every version of Python.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readLiteral } from "./python_literal.ts";
 * assert.deepEqual(readLiteral("(True, )"), { kind: "tuple", items: [{ kind: "boolean", value: true }] });
 * assert.equal(readLiteral("'f4' and 'O'"), undefined);
 * ```
 */
export function readLiteral(text: string): Literal | undefined {
  try {
    const parser = new Parser(text);
    const literal = parser.value(0);
    parser.end();
    return literal;
  } catch (error) {
    if (error instanceof UnreadableError) return undefined;
    throw error;
  }
}

class UnreadableError extends Error {}

type Token = { readonly kind: "literal"; readonly literal: Literal } | {
  readonly kind: "sign";
  readonly sign: string;
};

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): Literal {
    if (depth > DEPTH_MAX) throw new UnreadableError();
    const token = this.#next();
    if (token.kind === "literal") return token.literal;
    switch (token.sign) {
      case "(":
        return this.#tuple(depth);
      case "[":
        return { kind: "list", items: this.#items("]", depth).items };
      case "{":
        return this.#dict(depth);
      default:
        throw new UnreadableError();
    }
  }

  /** Requires that only white space is left. */
  end(): void {
    if (this.#text.slice(this.#at).trim() !== "") throw new UnreadableError();
  }

  /** A single value in parentheses is a tuple only if a comma follows it. */
  #tuple(depth: number): Literal {
    const { items, hasComma } = this.#items(")", depth);
    if (items.length === 1 && !hasComma) throw new UnreadableError();
    return { kind: "tuple", items };
  }

  #items(end: string, depth: number): { readonly items: readonly Literal[]; readonly hasComma: boolean } {
    const items: Literal[] = [];
    let hasComma = false;
    while (!this.#takes(end)) {
      if (items.length > 0 && !hasComma) throw new UnreadableError();
      items.push(this.value(depth + 1));
      hasComma = this.#takes(",");
    }
    return { items, hasComma };
  }

  #dict(depth: number): Literal {
    const entries = new Map<string, Literal>();
    let hasComma = true;
    while (!this.#takes("}")) {
      // A key in braces or brackets would be parsed recursively, to any depth.
      const token = this.#next();
      const key = hasComma && token.kind === "literal" ? token.literal : undefined;
      if (key?.kind !== "text" || entries.has(key.value) || !this.#takes(":")) throw new UnreadableError();
      entries.set(key.value, this.value(depth + 1));
      hasComma = this.#takes(",");
    }
    return { kind: "dict", entries };
  }

  #takes(sign: string): boolean {
    const before = this.#at;
    const token = this.#next();
    if (token.kind === "sign" && token.sign === sign) return true;
    this.#at = before;
    return false;
  }

  #next(): Token {
    TOKEN.lastIndex = this.#at;
    const match = TOKEN.exec(this.#text);
    if (match === null) throw new UnreadableError();
    this.#at = TOKEN.lastIndex;
    const [, single, double, digits, truth, sign] = match;
    if (sign !== undefined) return { kind: "sign", sign };
    if (digits !== undefined) return { kind: "literal", literal: { kind: "number", value: BigInt(digits) } };
    if (truth !== undefined) {
      return { kind: "literal", literal: { kind: "boolean", value: truth === "True" } };
    }
    return { kind: "literal", literal: { kind: "text", value: single ?? double ?? "" } };
  }
}
