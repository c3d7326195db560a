/** The place of a value in a text. The end is after its last character. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

/** Receives the members of an object in the order of the text, with duplicate keys. Each end is after the last character. */
export type OnMember = (key: string, itemStart: number, keyEnd: number, start: number, end: number) => void;

/** Records have five levels. A text with more is read by the reader, which has a limit of its own. */
const DEPTH_MAX = 50;

/** Longer numbers and exponents may be too large for the reader. */
const NUMBER_CHARS_MAX = 200;
const EXPONENT_DIGITS_MAX = 2;

const BYTE_ORDER_MARK = 0xfeff;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const LIST_START = 0x5b;
const BACKSLASH = 0x5c;
const LIST_END = 0x5d;
const OBJECT_START = 0x7b;
const OBJECT_END = 0x7d;

const HEX = /[0-9a-fA-F]{4}/y;
const ESCAPES = '"\\/bfnrt';

/**
 * Members of an object with scalars and lists of scalars, and the end of the object. Most of a record is of this kind, and
 * expressions are fast from their first use: a loop over characters takes four times as long until the engine has optimized
 * it. What this does not match is skimmed character by character. The engine keeps a place to return to for each
 * repetition, and its memory for them is limited.
 */
const FLAT_MEMBERS = flatMembers(50);

function flatMembers(repetitionsMax: number): RegExp {
  const space = String.raw`[ \n\r\t]*`;
  const text = String
    .raw`"[^"\\\0-\x1f]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^"\\\0-\x1f]*){0,${repetitionsMax}}"`;
  const number = String.raw`-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?`;
  const scalar = `(?:${text}|${number}|true|false|null)${space}`;
  const list = String.raw`\[${space}(?:${scalar}(?:,${space}${scalar}){0,${repetitionsMax}})?\]${space}`;
  const member = `${text}${space}:${space}(?:${scalar}|${list})`;
  return new RegExp(`(?:${member},${space}){0,${repetitionsMax}}(?:${member}})?`, "y");
}

/** The end of what is not certainly a value. */
const NONE = -1;

/**
 * Finds the members of the outermost object of a text, in a quarter of the time of reading it. No value is created.
 *
 * @returns `undefined` unless the text certainly is an object that the reader accepts: the reader says what is wrong.
 * Members before the error were passed to `onMember`
 */
export function skimObject(text: string, onMember: OnMember): TextRange | undefined {
  const start = spaceEnd(text, text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0);
  if (text.charCodeAt(start) !== OBJECT_START) return undefined;
  const end = objectEnd(text, start, 0, onMember);
  return end !== NONE && spaceEnd(text, end) === text.length ? { start, end } : undefined;
}

/**
 * Finds the members of the object at a place of a text.
 *
 * @returns whether all were found, as in a text that {@link skimObject} took. Members before another one were passed to
 * `onMember`
 */
export function skimMembers(text: string, start: number, onMember: OnMember): boolean {
  return objectEnd(text, start, 0, onMember) !== NONE;
}

/** Returns the text in quotes at a place of a text that was skimmed. */
export function textIn(text: string, start: number, end: number): string {
  const plain = text.slice(start + 1, end - 1);
  return plain.includes("\\") ? String(JSON.parse(`"${plain}"`)) : plain;
}

/** Returns whether two valid texts of values are equal but for the white space between their tokens. */
export function haveSameTokens(
  a: string,
  aStart: number,
  aEnd: number,
  b: string,
  bStart: number,
  bEnd: number,
): boolean {
  let i = aStart;
  let j = bStart;
  while (true) {
    let code = a.charCodeAt(i);
    if (code <= SPACE || b.charCodeAt(j) <= SPACE) {
      i = spaceEnd(a, i);
      j = spaceEnd(b, j);
      code = a.charCodeAt(i);
    }
    if (i >= aEnd || j >= bEnd) return i >= aEnd && j >= bEnd;
    if (code !== b.charCodeAt(j)) return false;
    i++;
    j++;
    if (code !== QUOTE) continue;
    do {
      code = a.charCodeAt(i);
      if (code !== b.charCodeAt(j)) return false;
      i++;
      j++;
      // The character after a backslash may be a quote that does not end the text.
      if (code === BACKSLASH && a.charCodeAt(i++) !== b.charCodeAt(j++)) return false;
    } while (code !== QUOTE);
  }
}

function objectEnd(text: string, start: number, depth: number, onMember?: OnMember): number {
  let at = spaceEnd(text, start + 1);
  if (text.charCodeAt(at) === OBJECT_END) return at + 1;
  if (depth > DEPTH_MAX) return NONE;
  while (true) {
    if (onMember === undefined) {
      const flatEnd = flatMembersEnd(text, at);
      if (flatEnd !== at && text.charCodeAt(flatEnd - 1) === OBJECT_END) return flatEnd;
      at = flatEnd;
    }
    const itemStart = at;
    if (text.charCodeAt(at) !== QUOTE) return NONE;
    const keyEnd = textEnd(text, at);
    if (keyEnd === NONE) return NONE;
    at = spaceEnd(text, keyEnd);
    if (text.charCodeAt(at) !== COLON) return NONE;
    const valueStart = spaceEnd(text, at + 1);
    const end = valueEnd(text, valueStart, depth + 1);
    if (end === NONE) return NONE;
    onMember?.(textIn(text, itemStart, keyEnd), itemStart, keyEnd, valueStart, end);
    at = spaceEnd(text, end);
    const code = text.charCodeAt(at);
    if (code === OBJECT_END) return at + 1;
    if (code !== COMMA) return NONE;
    at = spaceEnd(text, at + 1);
  }
}

/** Returns the end of the {@link FLAT_MEMBERS} at a place: after the object, or where its next member begins. */
function flatMembersEnd(text: string, start: number): number {
  FLAT_MEMBERS.lastIndex = start;
  FLAT_MEMBERS.test(text);
  return FLAT_MEMBERS.lastIndex;
}

function listEnd(text: string, start: number, depth: number): number {
  let at = spaceEnd(text, start + 1);
  if (text.charCodeAt(at) === LIST_END) return at + 1;
  if (depth > DEPTH_MAX) return NONE;
  while (true) {
    const end = valueEnd(text, at, depth + 1);
    if (end === NONE) return NONE;
    at = spaceEnd(text, end);
    const code = text.charCodeAt(at);
    if (code === LIST_END) return at + 1;
    if (code !== COMMA) return NONE;
    at = spaceEnd(text, at + 1);
  }
}

function valueEnd(text: string, at: number, depth: number): number {
  switch (text.charCodeAt(at)) {
    case QUOTE:
      return textEnd(text, at);
    case OBJECT_START:
      return objectEnd(text, at, depth);
    case LIST_START:
      return listEnd(text, at, depth);
    case 0x74:
      return wordEnd(text, at, "true");
    case 0x66:
      return wordEnd(text, at, "false");
    case 0x6e:
      return wordEnd(text, at, "null");
    default:
      return numberEnd(text, at);
  }
}

function wordEnd(text: string, at: number, word: string): number {
  return text.startsWith(word, at) ? at + word.length : NONE;
}

/** The end of a text in quotes. */
function textEnd(text: string, start: number): number {
  let at = start + 1;
  while (true) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    // At the end of the text, the code is NaN.
    if (!(code >= SPACE)) return NONE;
    if (code !== BACKSLASH) at++;
    else {
      const end = escapeEnd(text, at);
      if (end === NONE) return NONE;
      at = end;
    }
  }
}

function escapeEnd(text: string, start: number): number {
  const letter = text.charAt(start + 1);
  if (letter !== "" && ESCAPES.includes(letter)) return start + 2;
  HEX.lastIndex = start + 2;
  return letter === "u" && HEX.test(text) ? start + 6 : NONE;
}

function numberEnd(text: string, start: number): number {
  let at = text.charCodeAt(start) === MINUS ? start + 1 : start;
  const whole = at;
  at = digitsEnd(text, at);
  if (at === whole || (at > whole + 1 && text.charCodeAt(whole) === ZERO)) return NONE;
  if (text.charCodeAt(at) === POINT) {
    const fraction = at + 1;
    at = digitsEnd(text, fraction);
    if (at === fraction) return NONE;
  }
  const letter = text.charAt(at);
  if (letter === "e" || letter === "E") {
    const sign = text.charCodeAt(at + 1);
    const exponent = sign === PLUS || sign === MINUS ? at + 2 : at + 1;
    at = digitsEnd(text, exponent);
    if (at === exponent || at > exponent + EXPONENT_DIGITS_MAX) return NONE;
  }
  return at - start > NUMBER_CHARS_MAX ? NONE : at;
}

function digitsEnd(text: string, start: number): number {
  let at = start;
  for (let code = text.charCodeAt(at); code >= ZERO && code <= NINE; code = text.charCodeAt(at)) at++;
  return at;
}

function spaceEnd(text: string, start: number): number {
  let at = start;
  while (true) {
    const code = text.charCodeAt(at);
    if (code > SPACE) return at;
    // At the end of the text, the code is NaN.
    if (code !== SPACE && code !== LINE_FEED && code !== CARRIAGE_RETURN && code !== TAB) return at;
    at++;
  }
}
