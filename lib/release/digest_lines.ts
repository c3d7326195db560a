import { sortUtf8 } from "../core/portable_path.ts";

/** The facts about a file that the digest of its release covers. */
export interface DigestedFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/** The digits of a digest that a number of 32 bits holds. */
const PREFIX_DIGITS = 8;

/** More rows than any list has: a prefix and a row are one exact number. */
const ROWS_MAX = 2 ** 21;

/**
 * Returns the line of each file, `<sha256>  <size>  <path>\n`, sorted by their bytes. Most are sorted by the beginnings of
 * their digests, as numbers, which takes a fifth of the time.
 */
export function sortedLines(files: readonly DigestedFile[]): string[] {
  const keys = sortKeys(files);
  if (keys === undefined) return sortUtf8(files.map(lineOf));
  keys.sort();
  const lines: string[] = [];
  for (let start = 0; start < keys.length;) {
    const prefix = prefixOf(keys[start]);
    let end = start + 1;
    while (end < keys.length && prefixOf(keys[end]) === prefix) end++;
    if (end === start + 1) {
      lines.push(lineOf(files[(keys[start] ?? 0) % ROWS_MAX]));
    } else {
      const alike = Array.from(keys.subarray(start, end), (key) => lineOf(files[key % ROWS_MAX]));
      lines.push(...sortUtf8(alike));
    }
    start = end;
  }
  return lines;
}

/** Returns the number of each file by which it is sorted; `undefined` if they are no digests, or too many. */
function sortKeys(files: readonly DigestedFile[]): Float64Array | undefined {
  if (files.length > ROWS_MAX) return undefined;
  const keys = new Float64Array(files.length);
  for (const [row, { sha256 }] of files.entries()) {
    let prefix = 0;
    for (let index = 0; index < PREFIX_DIGITS; index++) {
      const digit = digitOf(sha256.charCodeAt(index));
      if (digit === undefined) return undefined;
      prefix = prefix * 16 + digit;
    }
    keys[row] = prefix * ROWS_MAX + row;
  }
  return keys;
}

/** Returns the value of a digit in lower case, whose order is that of its character. */
function digitOf(code: number): number | undefined {
  if (code >= 48 && code <= 57) return code - 48;
  return code >= 97 && code <= 102 ? code - 87 : undefined;
}

function prefixOf(key: number | undefined): number {
  return Math.floor((key ?? 0) / ROWS_MAX);
}

function lineOf(file: DigestedFile | undefined): string {
  return file === undefined ? "" : `${file.sha256}  ${file.size}  ${file.path}\n`;
}
