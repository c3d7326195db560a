import { DATA, type DataValue, isObject, type Measures, type PickleValue } from "../pickle_value.ts";

/** Returns the measures of a tuple of these items. */
export function measureAll(items: readonly PickleValue[]): Measures {
  let weight = 1;
  let nesting = 0;
  let freedom = 0;
  let levels = 0;
  for (const item of items) {
    weight += weightOf(item);
    nesting = Math.max(nesting, nestingOf(item));
    freedom += isRandom(item) ? 0 : Math.max(1, freedomOf(item));
    levels = Math.max(levels, levelsOf(item));
  }
  return { weight, nesting: nesting + 1, freedom, levels };
}

/** Returns the freedom of numbers and texts, which most lists consist of; `undefined` if there is another value. */
export function freedomOfConstants(items: readonly PickleValue[]): number | undefined {
  let freedom = 0;
  for (const item of items) {
    if (typeof item === "number") freedom += bytesOfNumber(item);
    else if (typeof item !== "string") return undefined;
  }
  return freedom;
}

/** So many bytes of an integer take as long to hash as a number; so many bytes of equal texts take as long to compare. */
const INTEGER_BYTES = 16;
const TEXT_BYTES = 256;

/** The weight of an object whose hash is computed from its state. */
export const INERT_WEIGHT = 100_000;

export function weightOf(value: PickleValue): number {
  if (typeof value === "bigint") return 1 + Math.floor(bytesOfBigint(value) / INTEGER_BYTES);
  if (!isObject(value)) return 1;
  switch (value.kind) {
    case "tuple":
    case "list":
      return value.weight;
    case "integer":
      return 1 + Math.floor(value.bytes / INTEGER_BYTES);
    case "data":
      return value.weight ?? 1 + Math.floor((value.bytes ?? 0) / TEXT_BYTES);
    case "instance":
      return value.hashed?.weight ?? 1;
    case "dtype":
      return value.state?.parts ?? 1;
    default:
      return 1;
  }
}

export function nestingOf(value: PickleValue): number {
  if (!isObject(value)) return 0;
  if (value.kind === "tuple" || value.kind === "list") return value.nesting;
  return value.kind === "instance" ? value.hashed?.nesting ?? 0 : 0;
}

export function freedomOf(value: PickleValue): number {
  if (typeof value === "string") return 0;
  if (typeof value === "number") return bytesOfNumber(value);
  if (typeof value === "bigint") return bytesOfBigint(value);
  if (!isObject(value)) return 1;
  switch (value.kind) {
    case "tuple":
    case "list":
      return value.freedom;
    case "integer":
      return value.bytes;
    case "data":
      return value.freedom ?? 0;
    case "instance":
      return value.hashed?.freedom ?? 0;
    default:
      return 0;
  }
}

export function levelsOf(value: PickleValue): number {
  if (!isObject(value)) return 0;
  const { kind } = value;
  if (kind === "tuple" || kind === "list" || kind === "dict" || kind === "instance") return value.levels;
  return kind === "data" ? value.levels ?? 0 : 0;
}

/** The memory of an entry in a dictionary and of an item in a list. */
const ENTRY_BYTES = 64;
export const ITEM_BYTES = 8;

/** The length that shorter texts are taken for. */
const MEASURED_BYTES = 64;

/** Returns text or bytes with unknown contents. The length counts wherever they are copied. */
export function payloadOf(bytes: number): DataValue {
  return bytes > MEASURED_BYTES ? { kind: "data", bytes } : DATA;
}

/** Returns the size of a shallow copy of a value. */
export function bytesOf(value: PickleValue): number {
  if (typeof value === "string") return value.length;
  if (!isObject(value)) return ITEM_BYTES;
  switch (value.kind) {
    case "tuple":
      return ITEM_BYTES * (value.items?.length ?? value.weight);
    case "list":
      return ITEM_BYTES * value.count;
    case "dict":
      return ENTRY_BYTES * value.count;
    case "data":
      return value.bytes ?? MEASURED_BYTES;
    case "integer":
      return value.bytes;
    case "instance":
      return value.array?.bytes ?? ITEM_BYTES;
    default:
      return ITEM_BYTES;
  }
}

/** Whether the hash cannot be predicted: of text, and of objects that are hashed by their address. */
function isRandom(value: PickleValue): boolean {
  if (typeof value === "string") return true;
  return isObject(value) && value.kind !== "tuple" && freedomOf(value) === 0;
}

function bytesOfNumber(value: number): number {
  const size = Math.abs(value);
  return size < 2 ** 8 ? 1 : size < 2 ** 16 ? 2 : size < 2 ** 32 ? 4 : 8;
}

function bytesOfBigint(value: bigint): number {
  return Math.ceil(value.toString(16).length / 2);
}
