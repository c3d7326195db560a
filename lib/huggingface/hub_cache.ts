import { dirname, join, relative } from "node:path";
import type { Context } from "../core/context.ts";
import { osErrorCode } from "../core/errors.ts";
import { findEntry, findText, ifFound, removeIfThere } from "../core/files.ts";
import { replaceFile } from "../core/replace_file.ts";
import { copyAndHash } from "../core/hash.ts";
import type { CommitId, HubFile } from "./hub.ts";
import type { HubSettings } from "./hub_settings.ts";

/** A file of a commit with its verified bytes on this machine. */
export interface CachedFile {
  readonly file: HubFile;
  readonly location: string;
}

/**
 * The cache that Hugging Face's own libraries share: `blobs/` by content, `snapshots/<commit>/` with links to blobs, and
 * `refs/<branch>` with the branch's commit. Other programs write it, so its files are verified before use. Layout:
 * huggingface_hub, "Understand caching".
 */
export class HubCache {
  readonly #context: Context;
  readonly #revision: string;
  readonly #root: string;

  /** @param folder the cache, see {@link hubCacheFolder} */
  constructor(context: Context, folder: string, settings: Pick<HubSettings, "repoId" | "revision">) {
    this.#context = context;
    this.#revision = settings.revision;
    this.#root = join(folder, `models--${settings.repoId.replace("/", "--")}`);
  }

  /** Returns the path of a content in the cache; `undefined` if the cache has no file of that name and size. */
  find(file: HubFile): string | undefined {
    const path = this.#blobPath(file);
    const info = ifFound(() => this.#context.fs.statSync(path));
    return info?.isFile && info.size === file.size ? path : undefined;
  }

  /** Adds a commit's files to the cache, and writes the branch's ref last. Needs read and write permission. */
  async fill(commit: CommitId, files: readonly CachedFile[]): Promise<void> {
    const { fs, signal } = this.#context;
    fs.mkdirSync(join(this.#root, "blobs"), { recursive: true });
    for (const { file, location } of files) {
      signal.throwIfAborted();
      await this.#addBlob(file, location);
      await this.#addToSnapshot(commit, file);
    }
    if (this.#revision === commit) return;
    const ref = join(this.#root, "refs", this.#revision);
    if (findText(fs, ref) === commit) return;
    fs.mkdirSync(dirname(ref), { recursive: true });
    replaceFile(fs, ref, commit);
  }

  #blobPath(file: HubFile): string {
    return join(this.#root, "blobs", file.sha256 ?? file.blob);
  }

  /** Adds a blob, by a hard link if possible. Replaces an existing blob, which may be damaged. */
  async #addBlob(file: HubFile, location: string): Promise<void> {
    const { fs } = this.#context;
    const path = this.#blobPath(file);
    const [there, ours] = [findEntry(fs, path), fs.lstatSync(location)];
    if (there?.isFile && there.ino !== null && there.ino === ours.ino && there.dev === ours.dev) return;
    await this.#place(path, async (temporary) => {
      try {
        fs.linkSync(location, temporary);
      } catch (error) {
        if (osErrorCode(error) === "ENOSPC") throw error;
        await copyAndHash(fs, location, temporary, { signal: this.#context.signal });
      }
    });
  }

  async #addToSnapshot(commit: CommitId, file: HubFile): Promise<void> {
    const { fs } = this.#context;
    const blob = this.#blobPath(file);
    const path = join(this.#root, "snapshots", commit, file.path);
    const target = relative(dirname(path), blob);
    if (findEntry(fs, path)?.isSymlink && fs.readLinkSync(path) === target) return;
    fs.mkdirSync(dirname(path), { recursive: true });
    await this.#place(path, async (temporary) => {
      try {
        fs.symlinkSync(target, temporary);
      } catch (error) {
        // Not every Windows user may create links. Hugging Face's libraries then also store the file itself here.
        if (osErrorCode(error) === "ENOSPC") throw error;
        await copyAndHash(fs, blob, temporary, { signal: this.#context.signal });
      }
    });
  }

  /** Puts a file in place with one rename, because other programs read the cache at the same time. */
  async #place(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
    const { fs } = this.#context;
    const temporary = `${path}.model-sync`;
    removeIfThere(fs, temporary);
    try {
      await make(temporary);
      fs.renameSync(temporary, path);
      // Renaming a link over another link to the same file does nothing.
      removeIfThere(fs, temporary);
    } catch (error) {
      removeIfThere(fs, temporary);
      throw error;
    }
  }
}
