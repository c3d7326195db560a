import { dirname, join } from "node:path";
import { type FileSystem, findEntry, makeReadableFolder } from "../core/files.ts";
import type { FolderStamps } from "./folder_stamps.ts";
import { renewFolder, type SpareFiles } from "./spare.ts";

/** The folders of a release in staging: each is created once, and those whose entries changed are synced. */
export class StagedFolders {
  readonly #fs: FileSystem;
  readonly #root: string;
  readonly #made = new Set<string>();
  readonly #unsynced = new Set<string>();
  /** Where folders are renewed; `undefined` if all are new. */
  #scratch: string | undefined;
  /** What is known of folders of the spare folder, by their paths relative to the root. */
  #known: FolderStamps = new Map();

  /** @param root the release's folder, which exists */
  constructor(fs: FileSystem, root: string) {
    this.#fs = fs;
    this.#root = root;
    this.#unsynced.add(root);
  }

  /** Creates the folder of a file that is about to be created. */
  makeAbove(target: string): void {
    const folder = dirname(target);
    if (this.#made.has(folder)) return;
    if (this.#scratch !== undefined) this.#renew(folder, this.#scratch);
    makeReadableFolder(this.#fs, folder);
    this.#add(folder);
  }

  /** Renews a folder of the spare folder, and those above it: consumers must not see files that are being staged. */
  #renew(folder: string, scratch: string): void {
    if (folder === this.#root || this.#made.has(folder)) return;
    this.#renew(dirname(folder), scratch);
    if (findEntry(this.#fs, folder)?.isDirectory === true) renewFolder(this.#fs, folder, scratch);
  }

  #add(folder: string): void {
    if (this.#made.has(folder)) return;
    this.#made.add(folder);
    this.#unsynced.add(folder);
    if (folder !== this.#root) this.#add(dirname(folder));
  }

  /** Notes that the release's folder is the spare folder now. */
  reuse({ changed, untouched, scratch }: SpareFiles): void {
    this.#scratch = scratch;
    this.#known = untouched;
    for (const folder of changed) this.#add(folder);
  }

  /** The folders in which nothing changed since their release was installed, by their paths relative to the root. */
  get untouched(): FolderStamps {
    return new Map([...this.#known].filter(([path]) => !this.#made.has(join(this.#root, path))));
  }

  /** The folders with entries that are not on the disk yet, the release's own last. */
  get unsynced(): readonly string[] {
    return [...this.#unsynced].reverse();
  }

  noteSynced(): void {
    this.#unsynced.clear();
  }
}
