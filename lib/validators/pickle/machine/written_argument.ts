import { payloadOf } from "../cost/value_measures.ts";
import { PICKLE_LIMITS } from "../limits.ts";
import { PickleProblem } from "../pickle_problem.ts";
import type { PickleReader } from "../pickle_reader.ts";
import { DATA, type PickleValue, UNKNOWN } from "../pickle_value.ts";
import { isTemplate } from "../rules/scipy_rules.ts";
import { writtenFloat, writtenIndex, writtenInt, writtenLong } from "./written_number.ts";

// Arguments in lines of text, which protocol 0 writes.

/** An argument, or a promise if the source has to be read first. */
export type ReadArgument = PickleValue | Promise<PickleValue>;

type LineKind =
  | "line"
  | "twoLines"
  | "intLine"
  | "longLine"
  | "indexLine"
  | "floatLine"
  | "quotedLine"
  | "escapedLine";

export function readLines(reader: PickleReader, kind: LineKind, offset: number): ReadArgument {
  const line = bufferedLine(reader, LINE_READERS[kind]);
  if (line === undefined) return readLinesLater(reader, kind, offset);
  return kind === "twoLines" ? readSecondLine(reader, line, offset) : meaningOf(kind, line, offset);
}

async function readLinesLater(reader: PickleReader, kind: LineKind, offset: number): Promise<PickleValue> {
  const line = await readLine(reader, offset, LINE_READERS[kind]);
  return kind === "twoLines" ? await readSecondLine(reader, line, offset) : meaningOf(kind, line, offset);
}

function readSecondLine(reader: PickleReader, first: PickleValue, offset: number): ReadArgument {
  const second = bufferedLine(reader, nameOf);
  if (second !== undefined) return twoLines(first, second, offset);
  return readLine(reader, offset, nameOf).then((line) => twoLines(first, line, offset));
}

/** Overlong names are not those of modules. Of an overlong attribute, the beginning is kept for a message. */
function twoLines(first: PickleValue, second: PickleValue, offset: number): PickleValue {
  if (first === null || second === null) {
    throw new PickleProblem("broken", offset, "imports something whose name is not UTF-8");
  }
  if (typeof first !== "string" || first.length > PICKLE_LIMITS.nameBytes) return DATA;
  const name = typeof second === "string" ? second : "";
  return `${first}\n${
    name.length > PICKLE_LIMITS.nameBytes ? `${name.slice(0, PICKLE_LIMITS.nameBytes)}...` : name
  }`;
}

/** Returns `null` for invalid UTF-8: Python decodes both names before it imports anything, and stops. */
function nameOf(bytes: Uint8Array): string | null {
  try {
    return NAME_DECODER.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

const NAME_DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function meaningOf(
  kind: Exclude<LineKind, "twoLines">,
  line: PickleValue,
  offset: number,
): PickleValue {
  if (kind === "line") {
    if (line === null) {
      throw new PickleProblem("broken", offset, "refers to an object by a name that is not ASCII");
    }
    return DATA;
  }
  const value = valueOf(kind, line);
  if (value === undefined) throw new PickleProblem("broken", offset, "has an invalid number or text");
  return value;
}

/**
 * Returns the value of a line: {@link UNKNOWN} for a number or text that Python may accept and no pickler writes;
 * `undefined` if Python certainly stops at it.
 */
function valueOf(
  kind: Exclude<LineKind, "line" | "twoLines">,
  line: PickleValue,
): PickleValue | undefined {
  if (typeof line !== "string") return LINE_READERS[kind] === bytesOf ? line : DATA;
  switch (kind) {
    case "indexLine":
      return writtenIndex(line);
    case "intLine":
      return writtenInt(line);
    case "longLine":
      return writtenLong(line);
    case "floatLine":
      return writtenFloat(line);
    case "quotedLine": {
      const quoted = /^(["'])(.*)\1$/s.exec(line.trim());
      return quoted === null ? undefined : constantOf(quoted[2] ?? "", DISGUISED.quoted);
    }
    default:
      return templateOf(line) ?? constantOf(line, DISGUISED.unicode);
  }
}

/** Letters and digits written as escapes, which no pickler does. */
const DISGUISED = {
  // Two backslashes are an escaped backslash.
  quoted: /^(?:[^\\]|\\[^x0-7])*\\(?:x(?:3\d|[46][1-9a-f]|[57][0-9a]|5f)|[0-7])/i,
  unicode: /\\(?:u00|U000000)(?:3\d|[46][1-9a-f]|[57][0-9a]|5f)/i,
};

/** Text with escapes is not decoded; it is {@link UNKNOWN} if it may be a name in disguise. */
function constantOf(text: string, disguised: RegExp): PickleValue {
  if (!text.includes("\\")) return text.length > PICKLE_LIMITS.nameBytes ? payloadOf(text.length) : text;
  return disguised.test(text) ? UNKNOWN : payloadOf(text.length);
}

/** Recognises the source code that scipy executes in a line of protocol 0. */
function templateOf(line: string): PickleValue | undefined {
  if (!line.startsWith(ESCAPED_NEWLINE)) return undefined;
  const text = line.replaceAll(ESCAPED_NEWLINE, "\n");
  // A backslash before the escape makes it plain letters. It stays in the text, which then is not a template.
  return isTemplate(new TextEncoder().encode(text))
    ? { ...payloadOf(text.length), isTemplate: true }
    : undefined;
}

const ESCAPED_NEWLINE = "\\u000a";

/** Converts the bytes of a line. */
type LineReader = (bytes: Uint8Array) => PickleValue;

/** Returns a character for each byte. Python's C reader sees only the part of a number before a NUL. */
function bytesOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

const LINE_READERS: Readonly<Record<LineKind, LineReader>> = {
  line: strictAsciiOf,
  twoLines: nameOf,
  intLine: bytesOf,
  longLine: bytesOf,
  indexLine: bytesOf,
  floatLine: bytesOf,
  quotedLine: asciiOf,
  escapedLine: asciiOf,
};

/** Consumes the next line if all of it is buffered. */
function bufferedLine(reader: PickleReader, read: LineReader): PickleValue | undefined {
  const end = reader.findNewline();
  if (end === -1) return undefined;
  const line = reader.take(end);
  const value = end > PICKLE_LIMITS.numberBytes ? UNKNOWN : read(line);
  reader.take(1);
  return value;
}

/** Reads the next line without its end; {@link UNKNOWN} if it is too long to matter. */
async function readLine(reader: PickleReader, offset: number, read: LineReader): Promise<PickleValue> {
  let isLong = false;
  while (true) {
    if (!reader.has(1) && !await reader.fill(1)) throw truncated(offset);
    const line = bufferedLine(reader, read);
    if (line !== undefined) return isLong ? UNKNOWN : line;
    const buffered = reader.buffered;
    if (buffered > PICKLE_LIMITS.numberBytes) {
      isLong = true;
      reader.take(buffered);
    } else if (!await reader.fill(buffered + 1)) {
      // Python's own reader removes the last character of the last line, newline or not, and continues.
      return isLong ? UNKNOWN : read(reader.take(buffered).subarray(0, -1));
    }
  }
}

/** Returns a text if it is ASCII, as names of modules and classes are. */
export function asciiOf(bytes: Uint8Array): PickleValue {
  for (const byte of bytes) {
    if (byte >= 0x80) return payloadOf(bytes.length);
  }
  if (bytes.length > GROWN_TEXT_MAX) return DECODER.decode(bytes);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Returns `null` for other bytes: Python decodes the name of an object outside of the file as ASCII, and stops. */
function strictAsciiOf(bytes: Uint8Array): PickleValue {
  return bytes.every((byte) => byte < 0x80) ? DATA : null;
}

const DECODER = new TextDecoder();

/** Appending is three times as fast for a short text; V8 keeps a longer one as a tree of parts of 20 bytes each. */
const GROWN_TEXT_MAX = 12;

export function truncated(offset: number): PickleProblem {
  return new PickleProblem("broken", offset, "is cut off");
}
