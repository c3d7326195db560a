import { FLOAT, type PickleValue, UNKNOWN } from "../pickle_value.ts";

// Python has two unpicklers, in C and in Python, which disagree about numbers in text. C's `strtol` reads `0100` as octal,
// `0x10` as hexadecimal, ` 1` and `-0` as booleans, and stops at NUL; `int(text, 0)` refuses most of these. If they read a
// size differently, an array is written beyond its end. So only numbers in the form of picklers are accepted. Source:
// `load_int` and `load_long` in CPython's `_pickle.c` and `pickle.py`.

/** Of longer integers, only the length is known. The longest common ones are hashes of 256 bits. */
const EXACT_BYTES = 33;

/** The limit of LONG1: padded numbers up to this length are read. */
export const LONG_READ_BYTES = 255;

const DECIMAL = /^(?:0|-?[1-9]\d*)$/;

/** The decimal digits of {@link EXACT_BYTES}. */
const EXACT_DIGITS = 79;

/** Bytes for each decimal digit: log 10 / log 256. */
const DIGIT_BYTES = 0.4153;

/**
 * Returns the argument of INT, a line with a character for each byte: {@link UNKNOWN} if one of Python's readers accepts it
 * and no pickler writes it, `undefined` if both stop.
 */
export function writtenInt(line: string): PickleValue | undefined {
  // Booleans, before protocol 2.
  if (line === "00" || line === "01") return line === "01";
  // If a line begins with NUL, the C reader reads an empty text, which is 0.
  if (line.startsWith("\0")) return UNKNOWN;
  return decimalOf(line.trimEnd()) ?? unwritten(line);
}

/** Returns the argument of LONG, like {@link writtenInt}. */
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

/** Python's notation of integers in any base, with blanks around them. */
const INTEGER = /^[ \t-\r]*[+-]?\d[\da-fox_]*L?[ \t-\r]*$/i;

function unwritten(line: string): typeof UNKNOWN | undefined {
  return INTEGER.test(beforeNul(line)) ? UNKNOWN : undefined;
}

/** Returns the part of a line that the C reader sees. */
function beforeNul(line: string): string {
  return line.split("\0", 1)[0] ?? "";
}

const INDEX = /^[ \t-\r]*([+-]?)(\d+(?:_\d+)*)[ \t-\r]*$/;

/**
 * Returns the argument of PUT and GET. Both readers accept the notation of `int()`, with a sign, blanks and underscores, and
 * stop at a negative number. At a NUL, the C reader sees the end of the line, and the Python reader stops.
 */
export function writtenIndex(line: string): PickleValue | undefined {
  const digits = INDEX.exec(beforeNul(line));
  if (digits === null) return undefined;
  const index = Number(digits[2]?.replaceAll("_", ""));
  if (digits[1] === "-" && index > 0) return undefined;
  return line.includes("\0") ? UNKNOWN : index;
}

/** The notation of floats that the C reader accepts: without blanks. */
const C_FLOAT = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)$/i;

/** The notation of floats that the Python reader accepts: with blanks and underscores. */
const PYTHON_FLOAT =
  /^[ \t-\r]*[+-]?(?:(?:\d(?:_?\d)*(?:\.(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:e[+-]?\d(?:_?\d)*)?|inf(?:inity)?|nan)[ \t-\r]*$/i;

/** Returns the argument of FLOAT; `undefined` if both readers stop. Source: `load_float` in the same files. */
export function writtenFloat(line: string): PickleValue | undefined {
  return C_FLOAT.test(beforeNul(line)) || PYTHON_FLOAT.test(line) ? FLOAT : undefined;
}

/** Scratch memory to decode a number. */
const LAID_OUT = new DataView(new ArrayBuffer(16));

/** Decodes the argument of LONG1 and LONG4: two's complement, little-endian, possibly padded. */
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
