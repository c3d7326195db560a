import { dirname } from "node:path";
import { type FileSystem, findEntry, makeReadableFolder } from "../core/files.ts";
import { renewFolder, type SpareFiles } from "./spare.ts";

/** The folders of a release in staging: each is created once, and those whose entries changed are synced. */
export class StagedFolders {
  readonly #fs: FileSystem;
  readonly #root: string;
  readonly #made = new Set<string>();
  readonly #unsynced = new Set<string>();
  /** Where folders are renewed; `undefined` if all are new. */
  #scratch: string | undefined;

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
  reuse({ changed, scratch }: SpareFiles): void {
    this.#scratch = scratch;
    for (const folder of changed) this.#add(folder);
  }

  /** The folders with entries that are not on the disk yet, the release's own last. */
  get unsynced(): readonly string[] {
    return [...this.#unsynced].reverse();
  }

  noteSynced(): void {
    this.#unsynced.clear();
  }
}
