import { posix } from "node:path";
import { concatenate } from "../core/concatenate.ts";
import { decodeUtf8 } from "../core/decode_utf8.ts";
import { FailedError } from "../core/errors.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import { quote } from "../core/quote.ts";
import { askForObjects } from "./cat_file.ts";
import { CloneDamagedError } from "./clone_damage.ts";
import type { Git } from "./git.ts";
import { type ObjectFormat, objectFormatOf, type ObjectId } from "./object_id.ts";
import { converted, isRemoval, type StagedEntry } from "./stage_models.ts";
import { REGULAR_FILES } from "./tree.ts";

const FOLDER = "40000";
const SUBMODULE = "160000";

/** Git's name of a tree's entry, and its mode as in a tree object: without a leading zero. */
export interface Entry {
  readonly mode: string;
  readonly id: ObjectId;
}

/**
 * Some folders of a commit, in which files are replaced. All other folders of the commit are used again by their names,
 * so that a change of one file of 50,000 reads and writes only the folders above it.
 */
export class TreeEdit {
  readonly #git: Git;
  readonly #format: ObjectFormat;
  /** The entries of each read folder by name. The root is `""`. */
  readonly #folders: ReadonlyMap<string, Map<string, Entry>>;

  private constructor(git: Git, format: ObjectFormat, folders: ReadonlyMap<string, Map<string, Entry>>) {
    this.#git = git;
    this.#format = format;
    this.#folders = folders;
  }

  /**
   * Reads folders of a commit. Those that it does not have are empty.
   *
   * @param folders as {@link foldersAbove} returns them
   * @returns `undefined` if one of them has a name that is not UTF-8
   * @throws {CloneDamagedError} the commit has one of them, but git does not
   */
  static async read(git: Git, commit: ObjectId, folders: readonly string[]): Promise<TreeEdit | undefined> {
    const read = new Map<string, Map<string, Entry>>();
    const names = folders.map((folder) => folder === "" ? `${commit}^{tree}` : `${commit}:${folder}`);
    const absent: string[] = [];
    let row = 0;
    for await (const tree of readTrees(git, names)) {
      if (tree === undefined) absent.push(folders[row] ?? "");
      const entries = tree === undefined ? new Map() : parseTreeObject(tree, objectFormatOf(commit));
      if (entries === undefined) return undefined;
      read.set(folders[row++] ?? "", entries);
    }
    // Git answers the same for a folder that it has lost: the new commit would lack all other files of that folder.
    const lost = absent.find((folder) =>
      folder === "" || read.get(folderAbove(folder))?.get(posix.basename(folder))?.mode === FOLDER
    );
    if (lost !== undefined) {
      throw new CloneDamagedError(git.repoDir, `the folder ${quote(lost)} of commit ${commit} is missing`);
    }
    return new TreeEdit(git, objectFormatOf(commit), read);
  }

  /** Returns the name of a regular file of a read folder. */
  blobOf(path: string): ObjectId | undefined {
    const entry = this.#folderOf(path).get(posix.basename(path));
    return entry !== undefined && REGULAR_FILES.includes(entry.mode) ? entry.id : undefined;
  }

  /** Returns what a read folder has at a path, of any kind. */
  entryOf(path: string): Entry | undefined {
    return this.#folderOf(path).get(posix.basename(path));
  }

  /** Whether a read folder has exactly this file; of a removal, whether it does not have the name. */
  has(entry: StagedEntry): boolean {
    const { path, mode, blob } = entry;
    const held = this.#folderOf(path).get(posix.basename(path));
    return isRemoval(entry) ? held === undefined : held?.mode === mode && held.id === blob;
  }

  /** Whether a read folder has a folder at this path. */
  hasFolder(path: string): boolean {
    return this.#folderOf(path).get(posix.basename(path))?.mode === FOLDER;
  }

  /** Returns the files with this name in all read folders. */
  filesNamed(name: string): StagedEntry[] {
    return [...this.#folders].flatMap(([folder, entries]) => {
      const entry = entries.get(name);
      return entry !== undefined && REGULAR_FILES.includes(entry.mode)
        ? [{ path: posix.join(folder, name), mode: entry.mode, blob: entry.id }]
        : [];
    });
  }

  /** Replaces files. Their folders must have been read. */
  replace(entries: readonly StagedEntry[]): void {
    // Removals come first: a removed path may be in the way of a new one.
    for (const { path } of entries.filter(isRemoval)) this.#folderOf(path).delete(posix.basename(path));
    for (const entry of entries) {
      if (!isRemoval(entry)) {
        this.#folderOf(entry.path).set(posix.basename(entry.path), { mode: entry.mode, id: entry.blob });
      }
    }
  }

  /**
   * Writes the changed folders with one call, and returns the name of the root. Their names are computed here, so that the
   * folders above can be written before git has answered; git sorts and checks the entries by itself.
   *
   * @throws {FailedError} code `GIT_CONVERTS` if git wrote other folders
   */
  async write(): Promise<ObjectId> {
    const levels = Map.groupBy(this.#folders.keys(), depthOf);
    const written: string[] = [];
    const ids: ObjectId[] = [];
    for (const depth of [...levels.keys()].sort((a, b) => b - a)) {
      for (const folder of levels.get(depth) ?? []) {
        if (!this.#isWritten(folder)) continue;
        const id = await treeIdOf(this.#format, this.#folders.get(folder) ?? new Map());
        written.push(folder);
        ids.push(id);
        if (folder !== "") this.#folderOf(folder).set(posix.basename(folder), { mode: FOLDER, id });
      }
    }
    await this.#makeTrees(written, ids);
    return ids.at(-1) ?? "";
  }

  /** Git has no empty folders: its name is removed, unless a file has it now. */
  #isWritten(folder: string): boolean {
    if (folder === "" || (this.#folders.get(folder)?.size ?? 0) > 0) return true;
    const above = this.#folderOf(folder);
    const name = posix.basename(folder);
    if (above.get(name)?.mode === FOLDER) above.delete(name);
    return false;
  }

  async #makeTrees(folders: readonly string[], ids: readonly ObjectId[]): Promise<void> {
    const output = await this.#git.text(["mktree", "--missing", "--batch", "-z"], {
      action: `write a commit to ${this.#git.repoDir}`,
      // An empty entry ends a tree.
      stdin: folders.map((folder) => `${this.#listing(folder)}\0`).join(""),
      isAlone: true,
    });
    const made = output.split("\n");
    const other = folders.findIndex((_, row) => made[row] !== ids[row]);
    if (other !== -1) {
      throw converted(
        folders[other] || "the models",
        `git stored another folder, as ${quote(made[other] ?? "")} instead of ${ids[other]}`,
      );
    }
  }

  #listing(folder: string): string {
    const entries = this.#folders.get(folder) ?? [];
    return Array.from(entries, ([name, { mode, id }]) => `${mode} ${kindOf(mode)} ${id}\t${name}\0`).join("");
  }

  #folderOf(path: string): Map<string, Entry> {
    const entries = this.#folders.get(folderAbove(path));
    if (entries === undefined) throw new TypeError(`the folder of ${path} was not read`);
    return entries;
  }
}

/** Returns all folders above these paths, each once. The root is `""`. */
export function foldersAbove(paths: Iterable<string>): string[] {
  const folders = new Set([""]);
  for (const path of paths) {
    for (let folder = folderAbove(path); !folders.has(folder); folder = folderAbove(folder)) {
      folders.add(folder);
    }
  }
  return [...folders];
}

/** Returns the folder above a path of a repository; `""` for the root. */
export function folderAbove(path: string): string {
  const folder = posix.dirname(path);
  return folder === "." ? "" : folder;
}

function depthOf(folder: string): number {
  return folder === "" ? 0 : folder.split("/").length;
}

function kindOf(mode: string): string {
  return mode === FOLDER ? "tree" : mode === SUBMODULE ? "commit" : "blob";
}

/** Returns git's name for a folder with these entries, which git sorts as if the names of folders ended with a slash. */
async function treeIdOf(format: ObjectFormat, entries: ReadonlyMap<string, Entry>): Promise<ObjectId> {
  const sorted = Array.from(entries, ([name, entry]) => ({
    ...entry,
    name,
    order: entry.mode === FOLDER ? `${name}/` : name,
  })).sort((a, b) => compareUtf8(a.order, b.order));
  const encoder = new TextEncoder();
  const parts = sorted.flatMap(({ mode, name, id }) => [
    encoder.encode(`${mode} ${name}\0`),
    Uint8Array.fromHex(id),
  ]);
  const tree = concatenate(parts);
  const { createHash } = await import("node:crypto");
  return createHash(format).update(`tree ${tree.length}\0`).update(tree).digest("hex");
}

/** Yields the content of each tree, valid until the next one is requested; `undefined` for a file or a missing name. */
async function* readTrees(git: Git, names: readonly string[]): AsyncGenerator<Uint8Array | undefined> {
  const answers = askForObjects(git, names, `read folders of ${git.repoDir}`);
  for await (const { name, header, reader } of answers) {
    if (header === `${name} missing`) {
      yield undefined;
      continue;
    }
    const [, kind, bytes] = /^[0-9a-f]{40,64} (\w+) (\d+)$/.exec(header) ?? [];
    if (bytes === undefined) throw wrongAnswer(git, header);
    if (kind === "tree") yield await reader.collect(Number(bytes));
    else {
      // A file, which may be too large for the memory.
      for await (const _piece of reader.readBytes(Number(bytes)));
      yield undefined;
    }
  }
}

function wrongAnswer(git: Git, answer: string): FailedError {
  return new FailedError(`Cannot read folders of ${git.repoDir}: git answers ${quote(answer)}`, {
    code: "GIT_OBJECT",
  });
}

/** Returns the entries of a tree object by name; `undefined` if a name is not UTF-8. */
export function parseTreeObject(
  tree: Uint8Array,
  format: ObjectFormat,
): Map<string, Entry> | undefined {
  const idBytes = format === "sha1" ? 20 : 32;
  const entries = new Map<string, Entry>();
  for (let start = 0; start < tree.length;) {
    const end = tree.indexOf(0, start);
    const text = decodeUtf8(tree.subarray(start, end));
    if (text === undefined) return undefined;
    const space = text.indexOf(" ");
    const id = tree.subarray(end + 1, end + 1 + idBytes).toHex();
    entries.set(text.slice(space + 1), { mode: text.slice(0, space), id });
    start = end + 1 + idBytes;
  }
  return entries;
}
