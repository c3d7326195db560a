import { dirname, join } from "node:path";
import * as z from "zod";
import type { Context } from "../core/context.ts";
import { copyFile } from "../core/copy_file.ts";
import { DiskError, diskError, osErrorCode } from "../core/errors.ts";
import { findEntry, makeReadableFolder, removeTree, syncFolder, syncFolders } from "../core/files.ts";
import { StateFile } from "../core/state_file.ts";

/** Lists the folders that this program created. Only these are ever removed. */
const LIST_NAME = ".model-sync-folders.json";

/** Scratch on the same file system. Its name matches no version and no backup, so other programs ignore it. */
const STAGING_NAME = ".model-sync-staging";

/** Errors of file systems without hard links, at the limit of links to one file, or of another file system. */
const LINK_IMPOSSIBLE = ["EMLINK", "EPERM", "ENOTSUP", "EOPNOTSUPP", "EXDEV", "ENOSYS"];

const Names = z.array(z.string());

/** A file, and its path in the new folder. */
export interface PlacedFile {
  readonly source: string;
  /** Relative to the new folder. */
  readonly path: string;
}

/**
 * A folder with copies of releases, each in a folder of its own: timestamped backups, numbered versions. A copy appears
 * by one rename, when it is whole and on the disk.
 */
export class OwnFolders {
  readonly #context: Context;
  readonly #root: string;
  readonly #pattern: RegExp;

  /** @param pattern matches the names of the folders; only such folders are removed */
  constructor(context: Context, root: string, pattern: RegExp) {
    this.#context = context;
    this.#root = root;
    this.#pattern = pattern;
  }

  /**
   * Creates the folder `name`. Files are hard links, because a release's files never change, or copies where the file
   * system has no links.
   *
   * @throws {DiskError}, after removing the unfinished folder
   */
  async add(name: string, files: readonly PlacedFile[]): Promise<string> {
    const { fs } = this.#context;
    const staging = join(this.#root, STAGING_NAME);
    const target = join(this.#root, name);
    try {
      makeReadableFolder(fs, this.#root);
      await removeTree(fs, staging);
      await fillFolder(this.#context, staging, files);
      // Listed before the rename: a name without a folder does no harm, an unlisted folder would never be removed.
      this.#list.replace([...this.names(), name]);
      fs.renameSync(staging, target);
      syncFolder(fs, this.#root);
      return target;
    } catch (error) {
      await removeTree(fs, staging).catch(() => {
        // The first error counts; the next call removes the folder.
      });
      throw unwritable(error, target) ?? diskError(error, `make ${target}`);
    }
  }

  /** Removes the oldest folders that this program created, and no others. */
  async keepNewest(countMax: number): Promise<void> {
    const names = this.names();
    for (const name of names.slice(0, -countMax)) await removeTree(this.#context.fs, join(this.#root, name));
    this.#list.replace(names.slice(-countMax));
  }

  /** Returns the folders that this program created and that still exist, oldest first. */
  names(): string[] {
    // If the list is damaged, no folder is known as our own, so none is removed.
    const list = this.#list.read();
    const names = list.kind === "found" ? list.value : [];
    return names.filter((name) =>
      this.#pattern.test(name) && findEntry(this.#context.fs, join(this.#root, name))?.isDirectory === true
    );
  }

  get #list(): StateFile<readonly string[]> {
    return new StateFile<readonly string[]>(this.#context.fs, join(this.#root, LIST_NAME), Names);
  }
}

function unwritable(error: unknown, target: string): DiskError | undefined {
  if (error instanceof Deno.errors.AlreadyExists || error instanceof Deno.errors.NotADirectory) {
    return new DiskError(`Cannot create ${target}: a file is at the path of a folder`, {
      code: "FOLDER_NOT_WRITABLE",
      cause: error,
      hint: "move the file away, or name another folder in the configuration",
    });
  }
  if (!(error instanceof Deno.errors.PermissionDenied)) return undefined;
  return new DiskError(`Cannot create ${target}: permission denied`, {
    code: "FOLDER_NOT_WRITABLE",
    cause: error,
    hint: "run as the user that owns the folder, or give this user write permission",
  });
}

async function fillFolder(context: Context, folder: string, files: readonly PlacedFile[]): Promise<void> {
  const { fs, signal } = context;
  makeReadableFolder(fs, folder);
  const made = new Set([folder]);
  for (const { source, path } of files) {
    signal.throwIfAborted();
    const target = join(folder, path);
    if (!made.has(dirname(target))) makeReadableFolder(fs, dirname(target));
    made.add(dirname(target));
    try {
      fs.linkSync(source, target);
    } catch (error) {
      if (!LINK_IMPOSSIBLE.includes(osErrorCode(error) ?? "")) throw error;
      await copyFile(context, source, target);
    }
  }
  syncFolders(fs, folder);
}
