import { dirname } from "node:path";
import { type FileSystem, makeReadableFolder } from "../core/files.ts";

/** The folders of a release in staging: each is created once, and those whose entries changed are synced. */
export class StagedFolders {
  readonly #fs: FileSystem;
  readonly #root: string;
  readonly #made = new Set<string>();
  readonly #unsynced = new Set<string>();

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
    makeReadableFolder(this.#fs, folder);
    this.#add(folder);
  }

  #add(folder: string): void {
    if (this.#made.has(folder)) return;
    this.#made.add(folder);
    this.#unsynced.add(folder);
    if (folder !== this.#root) this.#add(dirname(folder));
  }

  /** Notes a folder from which entries were removed. */
  noteChanged(folder: string): void {
    this.#unsynced.add(folder);
  }

  /** The folders with entries that are not on the disk yet, the release's own last. */
  get unsynced(): readonly string[] {
    return [...this.#unsynced].reverse();
  }

  noteSynced(): void {
    this.#unsynced.clear();
  }
}
