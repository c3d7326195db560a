import fc from "fast-check";
import { isJsonArray, isJsonObject, type JsonValue } from "../../../lib/references/json/json_value.ts";
import { isJsonScalar, renderRawString, renderScalar } from "../../../lib/references/json/render_scalar.ts";
import { anyCharacter } from "../../helpers/any_character.ts";

/** Each property runs on the same values every time. */
export const SEED = 20_260_101;

const KEYS = [
  "name",
  "config",
  "files",
  "tags",
  "1",
  "0",
  "__proto__",
  "constructor",
  "é",
  "\ud83d\ude00",
  "",
];

const texts = fc.oneof(
  fc.constantFrom(
    "",
    "a",
    "é",
    "\u007f",
    "\u2028",
    "\ud83d\ude00",
    "\ud800",
    "\udc00\ud800",
    "\u0000\u001f",
    '"\\/',
  ),
  fc.string({ unit: anyCharacter, maxLength: 6 }),
);

const integers = fc.oneof(
  fc.bigInt({ min: -3n, max: 3n }),
  fc.constantFrom(2n ** 53n + 1n, 2n ** 63n, -(2n ** 64n), 10n ** 400n),
);

const floats = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(
    0,
    -0,
    1,
    3,
    0.1,
    1e15,
    1e16,
    1e-4,
    1e-5,
    123456789012345680,
    5e-324,
    1.7976931348623157e308,
    2 ** 53,
  ),
);

const scalars: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom(null, true, false),
  texts,
  integers,
  floats,
);

/** Values with all kinds of content that caused errors before. */
export const values: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    scalars,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.array(fc.tuple(fc.oneof(fc.constantFrom(...KEYS), texts), tie("value")), { maxLength: 6 })
      .map((pairs) => new Map(pairs)),
  ),
})).value;

/** A repeatable source of random numbers, from 0 to below `bound`. */
export type Chance = (bound: number) => number;

export const chances: fc.Arbitrary<Chance> = fc.nat().map((seed) => {
  let state = seed;
  return (bound) => {
    // Numerical Recipes' generator; the high bits are the good ones.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
});

export function pick<T>(chance: Chance, list: readonly [T, ...T[]]): T {
  return list[chance(list.length)] ?? list[0];
}

/** A file's layout. */
export interface Layout {
  readonly newline: string;
  readonly unit: string;
  readonly colon: string;
  readonly inlineComma: string;
  readonly isRaw: boolean;
  readonly scalarsInline: boolean;
  readonly commaFirst: boolean;
  /** The text inside empty brackets. */
  readonly nothing: string;
  /** Whether an object's first key occurs twice; the first occurrence has no effect. */
  readonly repeatsKey: boolean;
}

export function someLayout(chance: Chance): Layout {
  return {
    newline: pick(chance, ["\n", "\r\n"]),
    unit: pick(chance, ["    ", "  ", "\t", ""]),
    colon: pick(chance, [": ", ":", " : "]),
    inlineComma: pick(chance, [", ", ",", ", ", ",", " ,\n "]),
    isRaw: chance(2) === 0,
    scalarsInline: chance(2) === 0,
    commaFirst: chance(8) === 0,
    nothing: pick(chance, ["", "", " ", "\n"]),
    repeatsKey: chance(6) === 0,
  };
}

/** Writes a value in a layout. `next` returns the layout of each list: the same one, or those of a mixed file. */
export function layOut(value: JsonValue, next: () => Layout, indent = ""): string {
  const layout = next();
  if (typeof value === "string") return layout.isRaw ? renderRawString(value) : renderScalar(value);
  if (isJsonScalar(value)) return renderScalar(value);
  const [open, close] = isJsonArray(value) ? "[]" : "{}";
  const items = isJsonArray(value) ? value : [...value.values()];
  if (items.length === 0) return `${open}${layout.nothing}${close}`;
  const inner = `${indent}${layout.unit}`;
  const keys = isJsonObject(value) ? [...value.keys()] : [];
  const parts = items.map((item, index) => {
    const key = keys[index];
    return (key === undefined ? "" : `${renderScalar(key)}${layout.colon}`) + layOut(item, next, inner);
  });
  if (layout.repeatsKey && keys[0] !== undefined) {
    parts.unshift(`${renderScalar(keys[0])}${layout.colon}null`);
  }
  const isInline = layout.scalarsInline && items.every(isJsonScalar);
  if (isInline) return `${open}${parts.join(layout.inlineComma)}${close}`;
  const lineBreak = `${layout.newline}${inner}`;
  const separator = layout.commaFirst ? `${lineBreak}, ` : `,${lineBreak}`;
  return `${open}${lineBreak}${parts.join(separator)}${layout.newline}${indent}${close}`;
}

/** Returns a text of a value: in one layout, or, in a third of the cases, with a layout for each list. */
export function someText(value: JsonValue, chance: Chance): string {
  const layout = someLayout(chance);
  const isMixed = chance(3) === 0;
  const text = layOut(value, () => isMixed ? someLayout(chance) : layout);
  return `${pick(chance, ["", "", "\ufeff"])}${text}${pick(chance, ["", "\n", "\r\n", " \n\n"])}`;
}

/** Returns a changed value: other spellings, other orders, and removed, added or changed members and items. */
export function changed(value: JsonValue, chance: Chance): JsonValue {
  if (isJsonArray(value)) {
    const items = value.flatMap((item) => {
      const kept = chance(6) === 0 ? [] : [chance(3) === 0 ? changed(item, chance) : item];
      return chance(6) === 0 ? [...kept, someNew(chance)] : kept;
    });
    return chance(8) === 0 ? items.reverse() : items;
  }
  if (isJsonObject(value)) {
    const members = [...value].flatMap(([key, item]): [string, JsonValue][] => {
      const kept: [string, JsonValue][] = chance(6) === 0 ? [] : [[key, changed(item, chance)]];
      return chance(6) === 0 ? [...kept, [pick(chance, ["new", "é2", "tags", ""]), someNew(chance)]] : kept;
    });
    return new Map(chance(4) === 0 ? members.reverse() : members);
  }
  if (chance(5) === 0) return someNew(chance);
  if (typeof value === "bigint" && (value === 1n || value === 0n) && chance(2) === 0) return value === 1n;
  if (typeof value === "bigint" && Number.isSafeInteger(Number(value)) && chance(3) === 0) {
    return Number(value);
  }
  return value;
}

/** A value with other plain values, and new members and items at the ends. */
export function grown(value: JsonValue, chance: Chance): JsonValue {
  if (isJsonArray(value)) {
    return [...value, ...chance(3) === 0 ? [someNew(chance)] : []];
  }
  if (isJsonObject(value)) {
    const members = Array.from(value, ([key, item]) => [key, grown(item, chance)] as const);
    return new Map([
      ...members,
      ...chance(3) === 0 && !value.has("new") ? [["new", someNew(chance)] as const] : [],
    ]);
  }
  return chance(4) === 0 ? `other ${chance(1000)}` : value;
}

function someNew(chance: Chance): JsonValue {
  return pick<JsonValue>(chance, [
    null,
    "é\ud800",
    3,
    7n,
    [],
    [1n, "a"],
    new Map(),
    new Map<string, JsonValue>([["name", "new"], [
      "config",
      new Map([["files", [new Map([["path", "p"]]), 2n]]]),
    ]]),
  ]);
}
