import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { findEntry } from "../core/files.ts";
import { isClutter } from "../release/clutter.ts";
import type { Manifest, ReleaseFile } from "../release/manifest.ts";
import { checkFile } from "./release_files.ts";
import { StatCache } from "./stat_cache.ts";
import type { Store } from "./store.ts";

/** A file that has to be copied into the model folder. */
export interface WantedCopy {
  readonly file: ReleaseFile;
  /** What stands in its place: a file can be replaced by one rename, anything else makes way first. */
  readonly there: "nothing" | "file" | "other";
  /** Whether what stands there belongs to no release, so that it is kept under another name. */
  readonly isForeign: boolean;
}

/** How a model folder becomes a release. Paths are relative to the model folder, with `/`. */
export interface MirrorPlan {
  readonly copies: readonly WantedCopy[];
  /** Files of the old release in the place of a folder, and its folders in the place of a file. */
  readonly blockers: readonly string[];
  /** Folders that are missing, the topmost alone, each with the folders that it has to hold. */
  readonly folders: ReadonlyMap<string, ReadonlySet<string>>;
  /** Files of the old release that the new one has not. */
  readonly gone: readonly string[];
}

/** Whether the model folder holds the release already. */
export function isEmpty({ copies, blockers, gone }: MirrorPlan): boolean {
  return copies.length + blockers.length + gone.length === 0;
}

/**
 * Compares the model folder with a release. Changes nothing.
 *
 * @param from the release that is there, as far as it is known
 * @throws {UsageError} code `MODELS_DIR_UNFIT` where files that belong to no release are in the way
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
    if (await checkFile(context, { dir: store.modelsDir, cache }, file, "stat") === undefined) continue;
    planner.addCopy(file);
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
  readonly #blockers = new Set<string>();
  readonly #folders = new Map<string, Set<string>>();
  readonly #gone: string[] = [];

  constructor(store: Store, from: Manifest | undefined) {
    this.#store = store;
    this.#old = new Set(from?.files.map((file) => file.path));
  }

  get plan(): MirrorPlan {
    return {
      copies: this.#copies,
      blockers: [...this.#blockers],
      folders: this.#folders,
      // A blocker takes everything in it with it.
      gone: this.#gone.filter((path) => ![...parentsOf(path), path].some((one) => this.#blockers.has(one))),
    };
  }

  addCopy(file: ReleaseFile): void {
    const { path } = file;
    const parents = parentsOf(path);
    const missing = parents.find((parent) => this.#kind(parent) !== "folder");
    if (missing !== undefined) {
      if (this.#kind(missing) !== "missing") this.#block(missing, path);
      const below = this.#folders.get(missing) ?? new Set();
      for (const parent of parents.slice(parents.indexOf(missing) + 1)) below.add(parent);
      this.#folders.set(missing, below);
    }
    const kind = missing === undefined ? this.#kind(path) : "missing";
    if (kind === "folder") this.#block(path, path);
    const there = kind === "missing" || kind === "folder" ? "nothing" : kind;
    this.#copies.push({ file, there, isForeign: there !== "nothing" && !this.#old.has(path) });
  }

  addGone(path: string): void {
    const isReachable = parentsOf(path).every((parent) => this.#kind(parent) === "folder");
    if (isReachable && ["file", "other"].includes(this.#kind(path))) this.#gone.push(path);
  }

  /** Has a file, or a folder with files of the old release alone, make way as a whole. */
  #block(path: string, wanted: string): void {
    if (this.#blockers.has(path)) return;
    const foreign = this.#kind(path) === "folder"
      ? this.#findForeign(path)
      : this.#old.has(path)
      ? undefined
      : path;
    if (foreign !== undefined) {
      throw new UsageError(
        `Cannot mirror into ${this.#store.modelsDir}: ${foreign} belongs to no release and is in the way of ${wanted}`,
        { code: "MODELS_DIR_UNFIT", hint: `move ${foreign} away and run again` },
      );
    }
    this.#blockers.add(path);
  }

  #findForeign(folder: string): string | undefined {
    for (const { name, isDirectory } of this.#store.fs.readDirSync(`${this.#store.modelsDir}/${folder}`)) {
      const path = `${folder}/${name}`;
      const foreign = isDirectory
        ? this.#findForeign(path)
        : this.#old.has(path) || isClutter(name)
        ? undefined
        : path;
      if (foreign !== undefined) return foreign;
    }
    return undefined;
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

/** The folders above a path, the topmost first: `a`, `a/b` of `a/b/c`. */
function parentsOf(path: string): string[] {
  const names = path.split("/").slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join("/"));
}
