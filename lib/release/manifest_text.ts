import type * as z from "zod";
import { parseJson } from "../core/json.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import { UNCOMPILED } from "../core/zod_options.ts";
import { formatFile, formatHead } from "./format_manifest.ts";
import {
  CHUNK_LISTS_CHARS_MAX,
  type Digest,
  type Manifest,
  type ManifestDetails,
  ManifestHead,
  manifestHead,
  readManifest,
  type ReleaseFile,
} from "./manifest.ts";

/** What {@link formatManifest} writes around the lines of the files. */
const BEFORE_FILES = ',\n  "files": [\n';
const BETWEEN_FILES = ",\n";
const AFTER_FILES = "\n  ]\n}\n";

/**
 * The text of a manifest that {@link formatManifest} wrote. Of many files, few change: their lines are replaced, and the
 * others are neither parsed nor written again.
 */
export class ManifestText {
  /** What it says. The list of files is parsed when it is needed. */
  readonly manifest: Manifest;
  /** The lines of the files, each with {@link BETWEEN_FILES} at its end. */
  readonly #lines: string;

  private constructor(text: string, head: z.infer<typeof ManifestHead>, lines: string) {
    let files: Manifest["files"] | undefined;
    this.manifest = {
      ...head,
      get files() {
        return files ??= readManifest(text, "a manifest that was read before").files;
      },
    };
    this.#lines = lines;
  }

  /** @returns `undefined` for a text of another form */
  static read(text: string): ManifestText | undefined {
    const start = text.indexOf(BEFORE_FILES);
    if (start === -1 || !text.endsWith(AFTER_FILES)) return undefined;
    const head = ManifestHead.safeParse(parseJson(`${text.slice(0, start)}\n}`), UNCOMPILED).data;
    if (head === undefined) return undefined;
    const lines = text.slice(start + BEFORE_FILES.length, -AFTER_FILES.length);
    return new ManifestText(text, head, lines + BETWEEN_FILES);
  }

  /**
   * Returns the text that {@link formatManifest} would return after a change of some files.
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
  ): string | undefined {
    const entries = new Map<string, ReleaseFile | undefined>(removed.map((path) => [path, undefined]));
    for (const file of files) entries.set(file.path, file);
    const parts: string[] = [];
    let done = 0;
    for (const [path, file] of [...entries].sort(([a], [b]) => compareUtf8(a, b))) {
      const { start, end } = this.#find(path, done);
      parts.push(this.#lines.slice(done, start));
      if (file !== undefined) parts.push("    ", formatFile(file), BETWEEN_FILES);
      done = end;
    }
    parts.push(this.#lines.slice(done));
    const lines = parts.join("");
    if (lines.length > CHUNK_LISTS_CHARS_MAX) return undefined;
    const head = formatHead(manifestHead(digest, details));
    return head + BEFORE_FILES + lines.slice(0, -BETWEEN_FILES.length) + AFTER_FILES;
  }

  /** Returns where the line of a path is; where it would be, if the list does not have it. */
  #find(path: string, from: number): { readonly start: number; readonly end: number } {
    let low = from;
    let high = this.#lines.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const start = Math.max(low, this.#lines.lastIndexOf("\n", middle - 1) + 1);
      const end = this.#lines.indexOf("\n", start) + 1;
      const order = compareUtf8(pathOf(this.#lines.slice(start, end)), path);
      if (order === 0) return { start, end };
      if (order < 0) low = end;
      else high = start;
    }
    return { start: low, end: low };
  }
}

/** Returns the path of a line: the first field that {@link formatFile} writes. */
function pathOf(line: string): string {
  const [, text = '""'] = /^ *\{"path":("(?:[^"\\]|\\.)*")/.exec(line) ?? [];
  return String(JSON.parse(text));
}
