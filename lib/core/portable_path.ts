/** The longest file name that ext4, APFS and NTFS all support. */
const NAME_BYTES_MAX = 255;

/** Well under the shortest `PATH_MAX` (macOS, 1024 bytes), so that a release can live below another folder. */
const PATH_BYTES_MAX = 900;

/** Real model sets are less deep. The bound limits recursion. */
const PATH_DEPTH_MAX = 32;

/** Names that Windows reserves for devices, with or without an extension. */
const WINDOWS_DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)/i;

/** Spellings that a git client or its file system resolves to `.git`. */
const GIT_FOLDER = /^(\.git|git~1)[. ]*$/i;

/**
 * A path without a problem: parts of these characters, of which none is special on any system. Most paths are like it,
 * and this takes a fifth of the time of the other checks.
 */
const PLAIN_PATH =
  /^(?!.{256})(?!(?:.*\/)?(?:con|prn|aux|nul|com|lpt))\w[\w-]*(?:\.[\w-]+)*(?:\/\w[\w-]*(?:\.[\w-]+)*){0,31}$/i;

const encoder = new TextEncoder();

/**
 * Returns the reason why a path cannot be a file of a release; `undefined` if it can. Release paths are relative,
 * separated by `/`, and valid on every system, so that every consumer can store what a publisher sends.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { portablePathProblem } from "./portable_path.ts";
 * assert.equal(portablePathProblem("BTC_USDC/rf.joblib"), undefined);
 * assert.match(portablePathProblem("../evil.onnx") ?? "", /"\.\."/);
 * assert.match(portablePathProblem("aux.onnx") ?? "", /Windows/);
 * ```
 */
export function portablePathProblem(path: string): string | undefined {
  if (PLAIN_PATH.test(path)) return undefined;
  if (path === "") return "is empty";
  if (path.startsWith("/")) return "is absolute";
  if (encoder.encode(path).length > PATH_BYTES_MAX) return `is longer than ${PATH_BYTES_MAX} bytes`;
  const names = path.split("/");
  if (names.length > PATH_DEPTH_MAX) return `is deeper than ${PATH_DEPTH_MAX} folders`;
  for (const name of names) {
    const problem = portableNameProblem(name);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function portableNameProblem(name: string): string | undefined {
  if (name === "") return "has an empty part";
  if (name === "." || name === "..") return `has the part "${name}"`;
  if (encoder.encode(name).length > NAME_BYTES_MAX) return `has a part longer than ${NAME_BYTES_MAX} bytes`;
  if (/\p{Cc}/u.test(name)) return "has a control character";
  if (/[\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]/.test(name)) {
    return "has a character that hides what it says";
  }
  // Deno decodes bytes that are not UTF-8 as U+FFFD. Deno cannot open a file by that name again.
  if (!name.isWellFormed() || name.includes("\ufffd")) return "is not valid UTF-8";
  const reserved = /[<>:"|?*\\]/.exec(name)?.[0];
  if (reserved !== undefined) return `has the character ${reserved}, which Windows reserves`;
  if (/[. ]$/.test(name)) return "has a part that ends with a dot or a space, which Windows drops";
  if (WINDOWS_DEVICE.test(name)) return `has the part "${name}", a device name on Windows`;
  if (GIT_FOLDER.test(name)) return `has the part "${name}", which belongs to git`;
  return undefined;
}

/** Two paths that some file system cannot store together, and the reason. */
export interface PathCollision {
  readonly first: string;
  readonly second: string;
  readonly reason: string;
}

/**
 * Returns two paths that collide: they are equal, or equal on a case-insensitive or Unicode-normalising file system
 * (macOS, Windows), or one is a file where the other needs a folder.
 *
 * @param folders listed in addition to the folders of the files. The same folder twice is not a collision.
 */
export function findPathCollision(
  paths: Iterable<string>,
  folders: Iterable<string> = [],
): PathCollision | undefined {
  const files = new Map<string, string>();
  const spellings = new FolderSpellings();
  let lastFolder = "";
  for (const path of paths) {
    const key = fold(path);
    const twin = files.get(key);
    if (twin !== undefined) {
      return {
        first: twin,
        second: path,
        reason: twin === path ? "appear twice" : "differ only by case or Unicode form",
      };
    }
    files.set(key, path);
    // In a sorted list, most files are in the folder of the file before.
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    const collision = folder === lastFolder ? undefined : spellings.addAbove(path);
    lastFolder = folder;
    if (collision !== undefined) return collision;
  }
  for (const folder of folders) {
    const collision = spellings.addAbove(folder) ?? spellings.add(folder, folder);
    if (collision !== undefined) return collision;
  }
  return spellings.findFile(files);
}

/** The folders of a set of paths, each with its first spelling. */
class FolderSpellings {
  readonly #folders = new Map<string, { readonly name: string; readonly path: string }>();

  /** Adds every folder above a path, and returns a collision with an earlier spelling. */
  addAbove(path: string): PathCollision | undefined {
    for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1)) {
      const collision = this.add(path.slice(0, end), path);
      if (collision !== undefined) return collision;
    }
    return undefined;
  }

  add(name: string, path: string): PathCollision | undefined {
    const key = fold(name);
    const other = this.#folders.get(key);
    if (other === undefined) this.#folders.set(key, { name, path });
    else if (other.name !== name) {
      return {
        first: other.path,
        second: path,
        reason: "have folders that differ only by case or Unicode form",
      };
    }
    return undefined;
  }

  /** Returns a file at the path of a folder. The keys are folded paths. */
  findFile(files: ReadonlyMap<string, string>): PathCollision | undefined {
    for (const [key, folder] of this.#folders) {
      const file = files.get(key);
      if (file !== undefined) {
        return { first: file, second: folder.path, reason: "are a file and a folder of one name" };
      }
    }
    return undefined;
  }
}

// deno-lint-ignore no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

/**
 * Lower case first, then upper case: this order also unites the Kelvin sign with k, and both forms of the Greek sigma.
 */
function fold(path: string): string {
  if (ASCII.test(path)) return path.toUpperCase();
  return path.normalize("NFC").toLowerCase().toUpperCase().normalize("NFC");
}

/**
 * Compares strings by their UTF-8 bytes, as `LC_ALL=C sort` does. JavaScript compares UTF-16 units, which puts U+1F600
 * before U+FF5E.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** Sorts strings, in place, by their UTF-8 bytes. */
export function sortUtf8(strings: string[]): string[] {
  // Without surrogates, JavaScript's order is the same, and ten times as fast.
  const hasSurrogates = strings.some((text) => /[\ud800-\udfff]/.test(text));
  return hasSurrogates ? strings.sort(compareUtf8) : strings.sort();
}

/** Surrogates encode code points above U+FFFF, so they rank above every other unit. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
