import { PathLookup } from "../core/path_lookup.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import { type FileList, manifestOf } from "./file_list.ts";
import {
  AFTER_FILES,
  BEFORE_FILES,
  type Manifest,
  readBeginning,
  readManifest,
  RELEASE_FILES_MAX,
  type ReleaseFile,
} from "./manifest.ts";

/** The line of a file, as publishers write it. Paths with escapes are rare. */
const LINE =
  // deno-lint-ignore no-control-regex
  / {4}\{"path":"([^"\\\x00-\x1f]*)","size":(0|[1-9]\d{0,15}),"sha256":"([0-9a-f]{64})"(?:,"contentChunks":"([^"\\\x00-\x1f]*)")?\}(,?)\n/y;
const BEFORE_SIZE = '","size":';

/** With more differing lines, parsing all of them takes less time. */
const DIFFERING_MAX = 1000;

const COMPARED_CHARS = 1024 * 1024;

/** More files are found in less time in a list of all. */
const SEARCHES_MAX = 1000;

/** What is known of a list without its files. */
export type ListTotals = Pick<FileList, "count" | "bytes">;

/** How a list differs from another one. */
export interface ListChanges {
  readonly added: readonly ReleaseFile[];
  readonly modified: readonly { readonly before: ReleaseFile; readonly after: ReleaseFile }[];
  readonly removed: readonly ReleaseFile[];
}

/**
 * The files of a manifest's text that has a line for each, as publishers write it. Each line has a valid shape; the other
 * facts are checked with the manifest. For 50,000 files, objects of all take 40 ms, half of it to collect the garbage.
 */
export class PlainList implements FileList {
  /** The text before the list: the beginning of a JSON object. */
  readonly head: string;
  readonly count: number;
  readonly bytes: number;
  readonly #text: string;
  readonly #start: number;
  readonly #end: number;
  #all: ReleaseFile[] | undefined;
  #lookup: PathLookup<ReleaseFile> | undefined;
  #searches = 0;

  private constructor(text: string, { start, end }: Body, { count, bytes }: ListTotals) {
    this.head = text.slice(0, start - BEFORE_FILES.length);
    this.count = count;
    this.bytes = bytes;
    this.#text = text;
    this.#start = start;
    this.#end = end;
  }

  /**
   * @param totals if the text is known to have this form: then its lines are not checked
   * @returns `undefined` for a text of another form
   */
  static read(text: string, totals?: ListTotals): PlainList | undefined {
    const body = bodyOf(text);
    if (body === undefined) return undefined;
    if (totals !== undefined) return new PlainList(text, body, totals);
    let [count, bytes] = [0, 0];
    for (let at = body.start; at < body.end; count++) {
      const end = lineEnd(text, at, body.end);
      if (end === undefined) return undefined;
      const size = numberAt(text, text.indexOf(BEFORE_SIZE, at) + BEFORE_SIZE.length);
      if (!Number.isSafeInteger(size)) return undefined;
      bytes += size;
      at = end;
    }
    return count === 0 ? undefined : new PlainList(text, body, { count, bytes });
  }

  get first(): ReleaseFile | undefined {
    return this.#lineAt(this.#start)?.file;
  }

  find(path: string): ReleaseFile | undefined {
    const isParsed = this.#all !== undefined || ++this.#searches > SEARCHES_MAX;
    const found = isParsed ? undefined : this.#findSorted(path);
    return found ?? (this.#lookup ??= new PathLookup(this.all())).get(path);
  }

  mayEnd(ends: readonly string[]): boolean {
    // It has more matches than texts in lower case, but needs no copy of the text.
    const anyEnd = ends.map((end) => end.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|");
    return ends.length > 0 && new RegExp(`(?:${anyEnd})${BEFORE_SIZE}`, "iu").test(this.#text);
  }

  all(): ReleaseFile[] {
    return this.#all ??= parseLines(this.#text.slice(this.#start, this.#end), this.count);
  }

  /**
   * Returns the list of another text, which has most lines of this one: they are not parsed. Both are compared in large
   * pieces.
   *
   * @returns `undefined` if the text has another form, or too many lines differ
   */
  follow(text: string): { readonly list: PlainList; readonly changes: ListChanges } | undefined {
    const body = bodyOf(text);
    const changes = body && this.#compare(text, body);
    if (body === undefined || changes === undefined) return undefined;
    const { added, modified, removed } = changes;
    const count = this.count + added.length - removed.length;
    let bytes = this.bytes;
    for (const { size } of added) bytes += size;
    for (const { before, after } of modified) bytes += after.size - before.size;
    for (const { size } of removed) bytes -= size;
    return count === 0 ? undefined : { list: new PlainList(text, body, { count, bytes }), changes };
  }

  #compare(text: string, { start, end }: Body): ListChanges | undefined {
    const added: ReleaseFile[] = [];
    const modified: { before: ReleaseFile; after: ReleaseFile }[] = [];
    const removed: ReleaseFile[] = [];
    for (let [at, from, differing] = [start, this.#start, 0]; at < end || from < this.#end; differing++) {
      const same = Math.min(countSame(text, at, this.#text, from), end - at, this.#end - from);
      const sameEnd = Math.max(at, text.lastIndexOf("\n", at + same - 1) + 1);
      from += sameEnd - at;
      at = sameEnd;
      // Only the last line of each list has no comma.
      if (at > start && (text[at - 2] === ",") === (at === end)) return undefined;
      if (at === end && from === this.#end) break;
      const after = at < end ? parseLine(text, at, end) : undefined;
      const before = this.#lineAt(from);
      if (differing === DIFFERING_MAX || (at < end && after === undefined)) return undefined;
      const order = compareLines(after, before);
      if (order < 0 && after !== undefined) added.push(after.file);
      if (order > 0 && before !== undefined) removed.push(before.file);
      if (order === 0 && after !== undefined && before !== undefined) {
        if (!isSameEntry(before.file, after.file)) modified.push({ before: before.file, after: after.file });
      }
      if (order <= 0) at = after?.end ?? end;
      if (order >= 0) from = before?.end ?? this.#end;
    }
    return { added, modified, removed };
  }

  #lineAt(start: number): Line | undefined {
    return start < this.#end ? parseLine(this.#text, start, this.#end) : undefined;
  }

  /** Finds a file where it is if the lines are in the order of paths, as in every manifest of this program. */
  #findSorted(path: string): ReleaseFile | undefined {
    let [low, high] = [this.#start, this.#end];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const line = this.#lineAt(Math.max(low, this.#text.lastIndexOf("\n", middle - 1) + 1));
      if (line === undefined) return undefined;
      const order = compareUtf8(line.file.path, path);
      if (order === 0) return line.file;
      if (order < 0) low = line.end;
      else high = line.start;
    }
    return undefined;
  }
}

/**
 * As `readManifest`, for a text of which few files are wanted, if any: their objects are made then.
 *
 * @param totals as for {@link PlainList.read}
 * @throws {RefusedError} code `MANIFEST_INVALID`
 */
export function readLazily(text: string, where: string, totals?: ListTotals): Manifest {
  const list = PlainList.read(text, totals);
  return (list && manifestOfPlain(list)) ?? readManifest(text, where);
}

/** Returns the manifest of a list; `undefined` for wrong details before the list, and for too many files. */
export function manifestOfPlain(list: PlainList): Manifest | undefined {
  const head = readBeginning(list.head);
  return head === undefined || list.count > RELEASE_FILES_MAX ? undefined : manifestOf(head, list);
}

interface Body {
  readonly start: number;
  readonly end: number;
}

interface Line extends Body {
  readonly file: ReleaseFile;
}

/** Returns where the lines of the files are. A line break in a JSON text is never part of a string. */
function bodyOf(text: string): Body | undefined {
  const head = text.indexOf(BEFORE_FILES);
  if (head === -1 || !text.endsWith(AFTER_FILES)) return undefined;
  // The last line, too, ends with its line break.
  return { start: head + BEFORE_FILES.length, end: text.length - AFTER_FILES.length + 1 };
}

/** Returns where the line of a file ends; `undefined` if it is none, or if not only the last one lacks a comma. */
function lineEnd(text: string, start: number, bodyEnd: number): number | undefined {
  LINE.lastIndex = start;
  return LINE.test(text) && isInPlace(text, LINE.lastIndex, bodyEnd) ? LINE.lastIndex : undefined;
}

/** Whether a line that ends there is in the list, and only the last one lacks a comma. */
function isInPlace(text: string, end: number, bodyEnd: number): boolean {
  return end <= bodyEnd && (text[end - 2] === ",") === (end < bodyEnd);
}

function parseLine(text: string, start: number, bodyEnd: number): Line | undefined {
  LINE.lastIndex = start;
  const [line = "", path, digits, sha256, contentChunks] = LINE.exec(text) ?? [];
  const end = start + line.length;
  const size = Number(digits);
  if (path === undefined || sha256 === undefined || !isInPlace(text, end, bodyEnd)) return undefined;
  if (!Number.isSafeInteger(size)) return undefined;
  const file = contentChunks === undefined ? { path, size, sha256 } : { path, size, sha256, contentChunks };
  return { start, end, file };
}

/** @param text the lines, which are valid; the last one has no comma */
function parseLines(text: string, count: number): ReleaseFile[] {
  const files: unknown = JSON.parse(`[${text}]`);
  if (isListOf(files, count)) return files;
  throw new TypeError("the lines of a manifest are not its files");
}

/** Each line was checked before. */
function isListOf(files: unknown, count: number): files is ReleaseFile[] {
  return Array.isArray(files) && files.length === count;
}

/** Whether two entries of the same path are equal. */
export function isSameEntry(
  a: Omit<ReleaseFile, "path">,
  b: Omit<ReleaseFile, "path">,
): boolean {
  return a.size === b.size && a.sha256 === b.sha256 && a.contentChunks === b.contentChunks;
}

function compareLines(one: Line | undefined, other: Line | undefined): number {
  if (one === undefined || other === undefined) return one === undefined ? 1 : -1;
  return compareUtf8(one.file.path, other.file.path);
}

/** Returns the number whose digits are at a place. */
function numberAt(text: string, start: number): number {
  let number = 0;
  for (let at = start;; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return number;
    number = number * 10 + digit;
  }
}

const ZERO = 48;

/** Returns how many characters are the same. */
function countSame(one: string, at: number, other: string, from: number): number {
  let count = 0;
  for (let step = COMPARED_CHARS; step > 0;) {
    const next = count + step;
    const isSame = at + next <= one.length && from + next <= other.length &&
      one.slice(at + count, at + next) === other.slice(from + count, from + next);
    if (isSame) count = next;
    else step >>= 1;
  }
  return count;
}
