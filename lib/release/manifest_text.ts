import { compareBytes } from "../core/compare_bytes.ts";
import { formatFile, formatHead } from "./format_manifest.ts";
import {
  AFTER_FILES,
  BEFORE_FILES,
  CHUNK_LISTS_CHARS_MAX,
  type Digest,
  type Manifest,
  type ManifestDetails,
  manifestHead,
  readBeginning,
  readManifest,
  type ReleaseFile,
} from "./manifest.ts";

const encoder = new TextEncoder();

/** What `formatManifest` writes around the lines of the files. */
const BEFORE = encoder.encode(BEFORE_FILES);
const BETWEEN_FILES = encoder.encode(",\n");
const AFTER = encoder.encode(AFTER_FILES);
const LINE_BREAK = 10;

/**
 * The text of a manifest that `formatManifest` wrote, as bytes. Of many files, few change: their lines are replaced, and the
 * others are neither parsed, nor copied, nor written again.
 */
export class ManifestText {
  /** What it says. The list of files is parsed when it is needed. */
  readonly manifest: Manifest;
  /** The lines of the files, with {@link BETWEEN_FILES} between them. */
  readonly #lines: Uint8Array;

  private constructor(text: Uint8Array, head: Omit<Manifest, "files">, lines: Uint8Array) {
    let files: Manifest["files"] | undefined;
    this.manifest = {
      ...head,
      get files() {
        return files ??=
          readManifest(new TextDecoder().decode(text), "a manifest that was read before").files;
      },
    };
    this.#lines = lines;
  }

  /** @returns `undefined` for a text of another form */
  static read(text: Uint8Array): ManifestText | undefined {
    const start = findFiles(text);
    const end = text.length - AFTER.length;
    if (start === undefined || compareBytes(text.subarray(end), AFTER) !== 0) return undefined;
    const before = new TextDecoder().decode(text.subarray(0, start - BEFORE.length));
    const head = readBeginning(before);
    return head === undefined ? undefined : new ManifestText(text, head, text.subarray(start, end));
  }

  /**
   * Returns the text that `formatManifest` would return after a change of some files, in parts.
   *
   * @param files added and modified ones
   * @param removed paths of the list
   * @returns `undefined` if chunk lists may have to be left out of a text of this length
   */
  change(
    digest: Digest,
    details: ManifestDetails,
    files: readonly ReleaseFile[],
    removed: readonly string[],
  ): Uint8Array[] | undefined {
    const changes = [
      ...files.map((file) => ({ path: encoder.encode(file.path), line: `    ${formatFile(file)}` })),
      ...removed.map((path) => ({ path: encoder.encode(path), line: undefined })),
    ].sort((a, b) => compareBytes(a.path, b.path));
    const lines: Uint8Array[] = [];
    let done = 0;
    for (const { path, line } of changes) {
      const { start, end } = this.#find(path, done);
      lines.push(this.#linesBetween(done, start));
      if (line !== undefined) lines.push(encoder.encode(line));
      done = end;
    }
    lines.push(this.#linesBetween(done, this.#lines.length));
    const parts = lines.filter((part) => part.length > 0)
      .flatMap((part, row) => row === 0 ? [part] : [BETWEEN_FILES, part]);
    if (parts.reduce((bytes, part) => bytes + part.length, 0) > CHUNK_LISTS_CHARS_MAX) return undefined;
    return [encoder.encode(formatHead(manifestHead(digest, details))), BEFORE, ...parts, AFTER];
  }

  /** Returns whole lines, without {@link BETWEEN_FILES} at their end. */
  #linesBetween(start: number, end: number): Uint8Array {
    const isLast = end === this.#lines.length;
    return this.#lines.subarray(start, isLast ? end : Math.max(start, end - BETWEEN_FILES.length));
  }

  /** Returns where the line of a path is; where it would be, if the list does not have it. */
  #find(path: Uint8Array, from: number): { readonly start: number; readonly end: number } {
    let low = from;
    let high = this.#lines.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const start = Math.max(low, this.#lines.lastIndexOf(LINE_BREAK, middle - 1) + 1);
      const next = this.#lines.indexOf(LINE_BREAK, start) + 1;
      const end = next === 0 ? this.#lines.length : next;
      const order = compareBytes(pathOf(this.#lines.subarray(start, end)), path);
      if (order === 0) return { start, end };
      if (order < 0) low = end;
      else high = start;
    }
    return { start: low, end: low };
  }
}

/** Returns where the first line of a file begins. A line break in a JSON text is never part of a string. */
function findFiles(text: Uint8Array): number | undefined {
  for (let at = text.indexOf(LINE_BREAK); at !== -1; at = text.indexOf(LINE_BREAK, at + 1)) {
    const start = at - 1 + BEFORE.length;
    if (compareBytes(text.subarray(at - 1, start), BEFORE) === 0) return start;
  }
  return undefined;
}

/** Returns the path of a line: the first field that {@link formatFile} writes. */
function pathOf(line: Uint8Array): Uint8Array {
  const [, text = '""'] = /^ *\{"path":("(?:[^"\\]|\\.)*")/.exec(new TextDecoder().decode(line)) ?? [];
  return encoder.encode(String(JSON.parse(text)));
}
