import type { Context } from "../core/context.ts";
import { findEntry } from "../core/files.ts";
import { listFolder } from "../core/folders.ts";
import { isClutter } from "../release/clutter.ts";
import type { Manifest, ReleaseFile } from "../release/manifest.ts";
import { checkFile } from "./release_files.ts";
import { StatCache } from "./stat_cache.ts";
import type { Store } from "./store.ts";

/** A file to copy into the model folder. */
export interface WantedCopy {
  readonly file: ReleaseFile;
  /** The kind of entry at its path. One rename replaces a file; anything else is moved away first. */
  readonly there: "nothing" | "file" | "other";
  /** Whether the entry at its path belongs to no release, and so is kept under another name. */
  readonly isForeign: boolean;
}

/** An entry at the path of a folder, or a folder at the path of a file. It is moved away as a whole. */
export interface Blocker {
  readonly path: string;
  readonly isFolder: boolean;
  /** Whether it or an entry in it belongs to no release, so that it is kept under another name. */
  readonly isForeign: boolean;
}

/** How a model folder becomes a release. Paths are relative to the model folder, with `/`. */
export interface MirrorPlan {
  readonly copies: readonly WantedCopy[];
  readonly blockers: readonly Blocker[];
  /** Files of the old release in blockers that are kept. They are moved out first, and not kept. */
  readonly vacated: readonly string[];
  /** The topmost missing folders, each with the folders that it has to hold. */
  readonly folders: ReadonlyMap<string, ReadonlySet<string>>;
  /** Files of the old release that the new one does not have. */
  readonly gone: readonly string[];
}

/** Returns whether the model folder holds the release already. */
export function isEmpty({ copies, blockers, gone }: MirrorPlan): boolean {
  return [copies, blockers, gone].every((entries) => entries.length === 0);
}

/**
 * Compares the model folder with a release, and changes nothing. A release consists of regular files in folders. Any
 * other entry at such a path belongs to no release, even a link to the same file.
 *
 * @param from the release that the folder holds, if it is known
 */
export async function planMirror(
  context: Context,
  store: Store,
  from: Manifest | undefined,
  to: Manifest,
): Promise<MirrorPlan> {
  const planner = new Planner(store, from);
  const cache = StatCache.ofModels(store);
  for (const file of to.files) {
    context.signal.throwIfAborted();
    const isThere = planner.isReachable(file.path) &&
      await checkFile(context, { dir: store.modelsDir, cache }, file, "stat") === undefined;
    if (!isThere) planner.addCopy(file);
  }
  cache.save();
  const kept = new Set(to.files.map((file) => file.path));
  for (const { path } of from?.files ?? []) if (!kept.has(path)) planner.addGone(path);
  return planner.plan;
}

class Planner {
  readonly #store: Store;
  readonly #old: ReadonlySet<string>;
  readonly #kinds = new Map<string, "missing" | "folder" | "file" | "other">();
  readonly #copies: WantedCopy[] = [];
  readonly #blockers = new Map<string, Blocker>();
  readonly #folders = new Map<string, Set<string>>();
  readonly #gone: string[] = [];

  constructor(store: Store, from: Manifest | undefined) {
    this.#store = store;
    this.#old = new Set(from?.files.map((file) => file.path));
  }

  get plan(): MirrorPlan {
    const gone = this.#gone.map((path) => ({ path, blocker: this.#findBlocker(path) }));
    return {
      copies: this.#copies,
      blockers: [...this.#blockers.values()],
      vacated: gone.flatMap(({ path, blocker }) => blocker?.isForeign === true ? [path] : []),
      folders: this.#folders,
      // A blocker is moved with everything in it.
      gone: gone.flatMap(({ path, blocker }) => blocker === undefined ? [path] : []),
    };
  }

  #findBlocker(path: string): Blocker | undefined {
    if (this.#blockers.size === 0) return undefined;
    for (const one of [...parentsOf(path), path]) {
      const blocker = this.#blockers.get(one);
      if (blocker !== undefined) return blocker;
    }
    return undefined;
  }

  /** Whether all folders above a path are real. Behind a link, no file is ours to change. */
  isReachable(path: string): boolean {
    return parentsOf(path).every((parent) => this.#kind(parent) === "folder");
  }

  addCopy(file: ReleaseFile): void {
    const { path } = file;
    const parents = parentsOf(path);
    const missing = parents.find((parent) => this.#kind(parent) !== "folder");
    if (missing !== undefined) {
      if (this.#kind(missing) !== "missing") this.#block(missing);
      const below = this.#folders.get(missing) ?? new Set();
      for (const parent of parents.slice(parents.indexOf(missing) + 1)) below.add(parent);
      this.#folders.set(missing, below);
    }
    const kind = missing === undefined ? this.#kind(path) : "missing";
    if (kind === "folder") this.#block(path);
    const there = kind === "missing" || kind === "folder" ? "nothing" : kind;
    this.#copies.push({ file, there, isForeign: there !== "nothing" && !this.#isOurs(path) });
  }

  addGone(path: string): void {
    if (this.isReachable(path) && this.#isOurs(path)) this.#gone.push(path);
  }

  #block(path: string): void {
    if (this.#blockers.has(path)) return;
    const isFolder = this.#kind(path) === "folder";
    const isForeign = isFolder ? this.#holdsForeign(path) : !this.#isOurs(path);
    this.#blockers.set(path, { path, isFolder, isForeign });
  }

  #isOurs(path: string): boolean {
    return this.#old.has(path) && this.#kind(path) === "file";
  }

  #holdsForeign(folder: string): boolean {
    const entries = listFolder(this.#store.fs, `${this.#store.modelsDir}/${folder}`);
    // A folder that cannot be listed was not created by this program.
    return entries?.every(({ name, isDirectory, isFile }) => {
      const path = `${folder}/${name}`;
      if (isDirectory) return !this.#holdsForeign(path);
      return isFile && (this.#old.has(path) || isClutter(path));
    }) !== true;
  }

  #kind(path: string): "missing" | "folder" | "file" | "other" {
    const known = this.#kinds.get(path);
    if (known !== undefined) return known;
    const entry = findEntry(this.#store.fs, `${this.#store.modelsDir}/${path}`);
    const kind = entry === undefined
      ? "missing"
      : entry.isDirectory
      ? "folder"
      : entry.isFile
      ? "file"
      : "other";
    this.#kinds.set(path, kind);
    return kind;
  }
}

/** Returns the folders above a path, topmost first: `a`, `a/b` of `a/b/c`. */
function parentsOf(path: string): string[] {
  const names = path.split("/").slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join("/"));
}
