import { isJsonArray, isJsonObject, type JsonValue } from "./json_value.ts";

/** The table of common items grows with the product of both lengths. Lists of tags have some tens of items. */
const TABLE_MAX = 10_000;

/** An item of the new list: an old item that stays or changes, or, without `index`, a new one. */
export interface AlignedItem {
  readonly index: number | undefined;
  readonly wanted: JsonValue;
}

/**
 * Returns how one list becomes another with few changes. Equal items stay. Between two of them, items are changed in
 * order, and the rest is removed or added.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { alignItems } from "./align_items.ts";
 * assert.deepEqual(alignItems(["a", "b", "c"], ["b", "c", "d"]), [
 *   { index: 1, wanted: "b" },
 *   { index: 2, wanted: "c" },
 *   { index: undefined, wanted: "d" },
 * ]);
 * ```
 */
export function alignItems(old: readonly JsonValue[], wanted: readonly JsonValue[]): AlignedItem[] {
  const a = old.map(fingerprint);
  const b = wanted.map(fingerprint);
  const shorter = Math.min(a.length, b.length);
  let prefix = 0;
  while (prefix < shorter && a[prefix] === b[prefix]) prefix++;
  let suffix = 0;
  while (suffix < shorter - prefix && a.at(-1 - suffix) === b.at(-1 - suffix)) suffix++;
  const middle = commonItems(a.slice(prefix, a.length - suffix), b.slice(prefix, b.length - suffix));
  const stays = [
    ...Array.from({ length: prefix }, (_, index) => [index, index] as const),
    ...middle.map(([i, j]) => [prefix + i, prefix + j] as const),
    ...Array.from(
      { length: suffix },
      (_, index) => [a.length - suffix + index, b.length - suffix + index] as const,
    ),
  ];
  let next = 0;
  let unused = 0;
  return wanted.map((value, j) => {
    const [stayI, stayJ] = stays[next] ?? [a.length, b.length];
    if (j < stayJ) return { index: unused < stayI ? unused++ : undefined, wanted: value };
    next++;
    unused = stayI + 1;
    return { index: stayI, wanted: value };
  });
}

/** Returns the positions of the longest common subsequence. */
function commonItems(a: readonly string[], b: readonly string[]): (readonly [number, number])[] {
  if (a.length * b.length > TABLE_MAX) return [];
  // lengths[i][j]: the number of common items from i and from j on.
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  const at = (i: number, j: number) => lengths[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    const row = lengths[i] ?? new Uint16Array();
    for (let j = b.length - 1; j >= 0; j--) {
      row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const pairs: (readonly [number, number])[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return pairs;
}

/** Returns the same text for values that are equal in Python, and for no others. */
function fingerprint(value: JsonValue): string {
  if (isJsonArray(value)) return `[${value.map(fingerprint).join(",")}]`;
  if (isJsonObject(value)) {
    const members = Array.from(value, ([key, item]) => `${JSON.stringify(key)}:${fingerprint(item)}`);
    return `{${members.sort().join(",")}}`;
  }
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "boolean") return value ? "1" : "0";
  return String(typeof value === "number" && Number.isInteger(value) ? BigInt(value) : value);
}
