/** The longest file name that ext4, APFS and NTFS all take. */
const NAME_BYTES_MAX = 255;

/** Well under the shortest `PATH_MAX` (macOS, 1024 bytes), so that a release can live below another folder. */
const PATH_BYTES_MAX = 900;

/** Deeper trees than this are no model set, and recursion over them must stay bounded. */
const PATH_DEPTH_MAX = 32;

/** Names that Windows keeps for devices, with or without an extension. */
const WINDOWS_DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)/i;

/** Spellings under which a git client or its file system finds its own folder. */
const GIT_FOLDER = /^(\.git|git~1)[. ]*$/i;

const encoder = new TextEncoder();

/**
 * Says why a path cannot be a file of a release, or `undefined` when it can. Release paths are relative, separated by
 * `/`, and mean the same file on every system: what one consumer could not store, no publisher may send.
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
  // Deno turns bytes that are no UTF-8 into U+FFFD; such a name could not be opened again.
  if (!name.isWellFormed() || name.includes("\ufffd")) return "is not valid UTF-8";
  const reserved = /[<>:"|?*\\]/.exec(name)?.[0];
  if (reserved !== undefined) return `has the character ${reserved}, which Windows reserves`;
  if (/[. ]$/.test(name)) return "has a part that ends with a dot or a space, which Windows drops";
  if (WINDOWS_DEVICE.test(name)) return `has the part "${name}", a device name on Windows`;
  if (GIT_FOLDER.test(name)) return `has the part "${name}", which belongs to git`;
  return undefined;
}

/** Two paths that one file system or another cannot hold together, and why. */
export interface PathCollision {
  readonly first: string;
  readonly second: string;
  readonly reason: string;
}

/**
 * Finds two paths that are one on a case-insensitive or Unicode-normalising file system (macOS, Windows), are equal,
 * or of which one is a file where the other needs a folder.
 *
 * @param folders that stand there on their own, besides those of the files; one that is there twice is no collision
 */
export function findPathCollision(
  paths: Iterable<string>,
  folders: Iterable<string> = [],
): PathCollision | undefined {
  const files = new Map<string, string>();
  const spellings = new FolderSpellings();
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
    const collision = spellings.addAbove(path);
    if (collision !== undefined) return collision;
  }
  for (const folder of folders) {
    const collision = spellings.addAbove(folder) ?? spellings.add(folder, folder);
    if (collision !== undefined) return collision;
  }
  return spellings.findFile(files);
}

/** The folders of a set of paths, each with the one spelling in which it was met first. */
class FolderSpellings {
  readonly #folders = new Map<string, { readonly name: string; readonly path: string }>();

  /** Adds every folder above a path. */
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

  /** Of files by their folded paths, one that stands where a folder does. */
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

/** Lower before upper: that order also joins the Kelvin sign with k and both forms of the Greek sigma. */
function fold(path: string): string {
  return path.normalize("NFC").toLowerCase().toUpperCase().normalize("NFC");
}

/**
 * Orders strings by their UTF-8 bytes, as `LC_ALL=C sort` does. JavaScript's own order compares UTF-16 units, which
 * puts U+1F600 before U+FF5E.
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
  // Without surrogates, JavaScript's own order is that order, and sorts ten times as fast.
  const hasSurrogates = strings.some((text) => /[\ud800-\udfff]/.test(text));
  return hasSurrogates ? strings.sort(compareUtf8) : strings.sort();
}

/** Surrogates stand for code points above U+FFFF, so they rank above every other unit. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
