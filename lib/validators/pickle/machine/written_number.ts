import { FLOAT, type PickleValue, UNKNOWN } from "../pickle_value.ts";

// Python has two unpicklers, in C and in Python, and they disagree about numbers that are written as text: C's `strtol`
// takes `0100` for octal and `0x10` for hexadecimal, ` 1` and `-0` for a truth value, and stops at NUL; `int(text, 0)`
// refuses most of these. A size that one of them reads differently is an array that is written beyond its end. So only
// what picklers write is a number. Source: `load_int` and `load_long` in CPython's `_pickle.c` and `pickle.py`.

/** Longer integers count only by their length. The longest that are common are hashes of 256 bits. */
const EXACT_BYTES = 33;

/** What LONG1 can hold: up to this length a padded number is read for what it is. */
export const LONG_READ_BYTES = 255;

const DECIMAL = /^(?:0|-?[1-9]\d*)$/;

/** Digits of a number of {@link EXACT_BYTES}. */
const EXACT_DIGITS = 79;

/** Bytes of a decimal digit: log 10 / log 256. */
const DIGIT_BYTES = 0.4153;

/**
 * The argument of INT, a line of which each character is a byte: {@link UNKNOWN} where one of Python's readers takes it
 * for a number and no pickler writes it so, `undefined` where both stop.
 */
export function writtenInt(line: string): PickleValue | undefined {
  // Truth values, before protocol 2.
  if (line === "00" || line === "01") return line === "01";
  // Of a line that begins with NUL, C's reader takes what stands before it, which is nothing, for a zero.
  if (line.startsWith("\0")) return UNKNOWN;
  return decimalOf(line.trimEnd()) ?? unwritten(line);
}

/** The argument of LONG, as {@link writtenInt}. */
export function writtenLong(line: string): PickleValue | undefined {
  const text = line.trimEnd();
  return decimalOf(text.endsWith("L") ? text.slice(0, -1) : text) ?? unwritten(line);
}

function decimalOf(text: string): PickleValue | undefined {
  if (!DECIMAL.test(text)) return undefined;
  return text.length > EXACT_DIGITS
    ? { kind: "integer", bytes: Math.ceil(text.length * DIGIT_BYTES) }
    : numberOf(BigInt(text));
}

/** How Python writes integers in whatever base, with blanks around them. */
const INTEGER = /^[ \t-\r]*[+-]?\d[\da-fox_]*L?[ \t-\r]*$/i;

function unwritten(line: string): typeof UNKNOWN | undefined {
  return INTEGER.test(beforeNul(line)) ? UNKNOWN : undefined;
}

/** What C's reader sees of a line. */
function beforeNul(line: string): string {
  return line.split("\0", 1)[0] ?? "";
}

const INDEX = /^[ \t-\r]*([+-]?)(\d+(?:_\d+)*)[ \t-\r]*$/;

/**
 * The argument of PUT and GET, as both of Python's readers read `int()`: with a sign, blanks and underlines; a negative
 * one stops them. Behind a NUL, its C reader sees nothing more, and its own stops.
 */
export function writtenIndex(line: string): PickleValue | undefined {
  const digits = INDEX.exec(beforeNul(line));
  if (digits === null) return undefined;
  const index = Number(digits[2]?.replaceAll("_", ""));
  if (digits[1] === "-" && index > 0) return undefined;
  return line.includes("\0") ? UNKNOWN : index;
}

/** What C's reader takes for a float: nothing stands before or behind it. */
const C_FLOAT = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)$/i;

/** What Python's own takes for one, with blanks and underlines. */
const PYTHON_FLOAT =
  /^[ \t-\r]*[+-]?(?:(?:\d(?:_?\d)*\.?(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*)(?:e[+-]?\d(?:_?\d)*)?|inf(?:inity)?|nan)[ \t-\r]*$/i;

/** The argument of FLOAT; `undefined` where both of Python's readers stop. Source: `load_float` in the same files. */
export function writtenFloat(line: string): PickleValue | undefined {
  return C_FLOAT.test(beforeNul(line)) || PYTHON_FLOAT.test(line) ? FLOAT : undefined;
}

/** Where a number is laid out. */
const LAID_OUT = new DataView(new ArrayBuffer(16));

/** What LONG1 and LONG4 hold: two's complement, little-endian, by its value however it is padded. */
export function integerOf(bytes: Uint8Array): PickleValue {
  const fill = (bytes.at(-1) ?? 0) >= 0x80 ? 0xff : 0;
  let used = bytes.length;
  while (used > 0 && bytes[used - 1] === fill && ((bytes[used - 2] ?? fill) >= 0x80) === (fill === 0xff)) {
    used--;
  }
  if (used > EXACT_BYTES) return { kind: "integer", bytes: used };
  if (used > LAID_OUT.byteLength) return longOf(bytes.subarray(0, used));
  for (let index = 0; index < LAID_OUT.byteLength; index++) {
    LAID_OUT.setUint8(index, index < used ? bytes[index] ?? fill : fill);
  }
  return numberOf((LAID_OUT.getBigInt64(8, true) << 64n) | LAID_OUT.getBigUint64(0, true));
}

function longOf(bytes: Uint8Array): bigint {
  let digits = "";
  for (const byte of bytes) digits = byte.toString(16).padStart(2, "0") + digits;
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${digits}`));
}

function numberOf(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
