import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { diskError, RefusedError } from "../core/errors.ts";
import {
  IMMUTABLE_FILE_MODE,
  makeReadableFolder,
  PRIVATE_MODE,
  removeIfThere,
  removeTree,
  setMode,
} from "../core/files.ts";
import { type FileDigest, type Sha256, SmallFileHasher } from "../core/hash.ts";
import { syncFiles } from "../core/sync_files.ts";
import type { ReleaseChanges } from "../release/changes.ts";
import { type FileList, filesOf, type Listed } from "../release/file_list.ts";
import type { Manifest, ReleaseFile } from "../release/manifest.ts";
import type { ReleaseIndex } from "../release/release_index.ts";
import { HeldFiles } from "./held_files.ts";
import { linkFile } from "./link_file.ts";
import { ManyFiles } from "./many_files.ts";
import { requireSpace } from "./require_space.ts";
import { Turns } from "../core/turns.ts";
import { Working } from "../core/working.ts";
import { rememberFolders } from "./folder_stamps.ts";
import { type ExaminedSpare, isIndexed, KeptFiles } from "./kept_files.ts";
import type { SmallFileCheck, StagedFile } from "./staged_file.ts";
import { createSmallFile, SYNCS_LATER } from "./small_file.ts";
import { StagedFolders } from "./staged_folders.ts";
import { type SpareFiles, takeSpare } from "./spare.ts";
import { type FileStamp, stampOf, StatCache } from "./stat_cache.ts";
import type { Store } from "./store.ts";
import { giveUp, UnfinishedFiles } from "./unfinished.ts";
import { writeHashed } from "./write_hashed.ts";

export type { SmallFileCheck, StagedFile };

/**
 * The scratch folder in which a run assembles a release. Files are hashed while they are written, and made read-only. A
 * file that an installed release has is hard-linked instead. {@link Staging.sync} writes the rest to the disk.
 */
export class Staging implements AsyncDisposable {
  /** The folder with the files of the release. */
  readonly dir: string;
  readonly #context: Context;
  readonly #store: Store;
  readonly #root: string;
  readonly #files = new Map<string, StagedFile>();
  readonly #folders: StagedFolders;
  readonly #many: ManyFiles;
  readonly #held: HeldFiles;
  readonly #unfinished: UnfinishedFiles;
  readonly #index: ReleaseIndex | undefined;
  /** The files of the active release that stay where they are. */
  #kept: KeptFiles | undefined;
  /** The spare folder's files, among which are those of the release. */
  #spare: SpareFiles | undefined;
  /** The small files that are not on the disk yet. */
  #unsynced: string[] = [];
  readonly #hasher = new SmallFileHasher();
  #checkSmall: SmallFileCheck | undefined;

  /** Creates the run's folder in `staging/`. @param index knows the files of the active release */
  constructor(context: Context, store: Store, runId: string, index?: ReleaseIndex) {
    this.#context = context;
    this.#index = index;
    this.#store = store;
    this.#held = new HeldFiles(context, store);
    this.#unfinished = new UnfinishedFiles(context, store);
    this.#root = join(store.staging, runId);
    this.dir = join(this.#root, "files");
    try {
      makeReadableFolder(store.fs, this.dir);
    } catch (error) {
      throw diskError(error, `create the staging folder ${this.#root}`);
    }
    this.#folders = new StagedFolders(store.fs, this.dir);
    this.#many = new ManyFiles(context, store.fs, this.dir);
  }

  /** Removes the run's folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#held.save();
    await this.#many[Symbol.asyncDispose]();
    await removeTree(this.#store.fs, this.#root);
  }

  /** As {@link giveUp}. */
  async giveUp(error: unknown): Promise<void> {
    await this.#many[Symbol.asyncDispose]();
    await giveUp(this.#store, this.dir, error);
  }

  /** Has each small file checked while its bytes are in memory, so that they need not be read again. */
  checkSmallFiles(check: SmallFileCheck): void {
    this.#checkSmall = check;
  }

  /**
   * Assembles the release in the folder of a removed one, if the store keeps one. Call it before anything is staged, and
   * {@link removeLeftovers} after everything is.
   *
   * @param files all of the release, each once
   * @param since how they differ from those of the active release, if that is known
   */
  async takeSpare(files: Listed<{ readonly path: string }>, since?: ReleaseChanges): Promise<void> {
    const scratch = join(this.#root, "folder");
    this.#spare = await takeSpare(this.#context, this.#store, this.dir, scratch, files, since);
    if (this.#spare !== undefined) this.#folders.reuse(this.#spare);
  }

  /** Stages the unchanged files of the active release that are intact. @param examined the spare folder, untouched */
  async keepUnchanged(since: ReleaseChanges, examined?: ExaminedSpare): Promise<void> {
    this.#kept = this.#spare && KeptFiles.find(examined, since, this.#held.cacheOf(since.active.digest));
    const { active, changed, removed } = since;
    const turns = new Turns(this.#context);
    for (const { path, sha256 } of this.lacking(filesOf(active))) {
      if (changed.has(path) || removed.has(path)) continue;
      await turns.next();
      await this.link(path, sha256);
    }
  }

  /** Returns which files of the release, or of the active one, are not staged. */
  lacking<File extends { readonly path: string }>(files: Listed<File>): readonly File[] {
    return (this.#kept?.othersOf(files) ?? files.all()).filter(({ path }) => !this.has(path));
  }

  /** Remembers the stamps of the files and folders of this release, which was just installed. */
  remember(manifest: Manifest): void {
    const { digest } = manifest;
    const paths = StatCache.replaceOfRelease(this.#store, manifest, this.#files, this.#kept?.cache);
    if (!isIndexed(this.#index, filesOf(manifest).count)) return;
    rememberFolders(this.#store, digest, paths, this.#folders.untouched, this.#context.clock);
  }

  /** Removes the files of the release that the folder had, but that were not staged. @param files all of the release */
  removeLeftovers(files: Listed<{ readonly path: string }>): void {
    if (this.#spare === undefined) return;
    for (const { path } of this.lacking(files)) if (this.#isSpare(path)) this.#place(path);
    this.#spare = undefined;
  }

  /** Whether the spare folder may have had a file at this path. It may have been replaced since. */
  #isSpare(path: string): boolean {
    return this.#spare?.mayHave(path) === true;
  }

  /** The files that are staged so far, those of {@link unkept}. Not before {@link settle}. */
  get files(): readonly StagedFile[] {
    if (this.#many.sent.size > 0) throw new TypeError("files before settle()");
    return [...this.#files.values()];
  }

  /** Returns the files of the release but those of the active one that stayed where they were, with the same digests. */
  unkept(files: FileList): readonly ReleaseFile[] {
    return this.#kept?.othersOf(files) ?? files.all();
  }

  /** Returns the digest of a staged file, which may still be on its way to the disk. */
  digestOf(path: string): FileDigest | undefined {
    return this.#many.sent.get(path) ?? this.find(path);
  }

  /** Returns a staged file by its path. */
  find(path: string): StagedFile | undefined {
    return this.#files.get(path) ?? this.#kept?.find(path);
  }

  /** Whether a file is staged. */
  has(path: string): boolean {
    return this.#files.has(path) || this.#many.sent.has(path) || this.#kept?.entryOf(path) !== undefined;
  }

  /**
   * Links a file from an installed release, if one has this content and its file is intact. If none has, moves the file of
   * an unfinished run.
   *
   * @returns whether the file is staged
   */
  async link(path: string, sha256: Sha256): Promise<boolean> {
    const held = this.#held.find(sha256, path);
    if (held === undefined) return await this.#takeUnfinished(path, sha256);
    const kept = this.#isSpare(path) ? this.#held.stampOfSame(`${this.dir}/${path}`, held) : undefined;
    if (kept !== undefined) return this.#addLinked(path, held.file, kept);
    const stamp = await this.#held.stampOfIntact(held);
    if (stamp === undefined) return false;
    const source = `${held.dir}/${held.file.path}`;
    const target = this.#place(path);
    const isLinked = linkFile(this.#store.fs, source, target, `link ${path} in the store`);
    return isLinked ? this.#addLinked(path, held.file, stamp) : await this.#copy(path, source, held.file);
  }

  async #takeUnfinished(path: string, sha256: Sha256): Promise<boolean> {
    const taken = await this.#unfinished.take(path, sha256, () => this.#place(path));
    if (taken === undefined) return false;
    this.#addWritten(taken);
    return true;
  }

  #addLinked(path: string, { size: bytes, sha256, contentChunks }: ReleaseFile, stamp: FileStamp): true {
    const linked: StagedFile = { path, bytes, sha256, how: "linked", stamp };
    this.#files.set(path, contentChunks === undefined ? linked : { ...linked, contentChunks });
    return true;
  }

  /** Stages a second path with the content of a staged file, by a hard link where the disk has them. */
  async linkStaged(path: string, staged: StagedFile): Promise<void> {
    const source = join(this.dir, staged.path);
    const target = this.#place(path);
    const isLinked = linkFile(this.#store.fs, source, target, `link ${path} to ${staged.path} in the store`);
    if (isLinked) this.#files.set(path, { ...staged, path });
    else await this.write(path, (await this.#store.fs.open(source, { read: true })).readable);
  }

  /** Returns the path of an intact file of an installed release with this content; `undefined` if there is none. */
  async findHeld(sha256: Sha256): Promise<string | undefined> {
    return await this.#held.pathOfIntact(sha256);
  }

  /** Returns what says whether a staged file or one of an installed release has a content. */
  openHolds(): (sha256: Sha256) => boolean {
    const files = [...this.#files.values(), ...this.#many.sent.values()];
    const staged = new Set(files.map(({ sha256 }) => sha256));
    return (sha256) => staged.has(sha256) || this.#held.holds(sha256);
  }

  /** Checks that the disk has room for the bytes. @throws {DiskError} code `DISK` */
  async requireSpace(bytes: number): Promise<void> {
    await requireSpace(this.#context, this.#store.root, bytes);
  }

  async #copy(path: string, source: string, file: ReleaseFile): Promise<boolean> {
    const opened = await this.#store.fs.open(source, { read: true });
    // Reading to the end, or cancelling, closes the file.
    const copy = await this.write(path, opened.readable);
    if (copy.sha256 === file.sha256) return true;
    this.#files.delete(path);
    this.#store.fs.removeSync(join(this.dir, path));
    return false;
  }

  /**
   * Writes a small file. It is on the disk after {@link sync}. If the store has the content already, the file is linked,
   * so that no content is kept twice.
   */
  async writeSmall(path: string, content: Uint8Array): Promise<StagedFile> {
    const sha256 = await this.#hasher.hash(content);
    const linked = await this.link(path, sha256) ? this.find(path) : undefined;
    const create = () => createSmallFile(this.#store.fs, this.#place(path), content, { path, sha256 });
    const staged = linked ?? this.#addWritten(create());
    await this.#checkSmall?.(path, content, sha256);
    return staged;
  }

  /** As {@link writeSmall}, for one of many files: they are there after {@link settle}. Not for concurrent calls. */
  async writeOfMany(path: string, content: Uint8Array, claimed?: Sha256): Promise<void> {
    const hashed = await this.#hasher.hash(content);
    // The manifest's text of the same digest saves memory.
    const sha256 = hashed === claimed ? claimed : hashed;
    if (!await this.link(path, sha256)) {
      const written = await this.#many.write(this.#place(path), content, { path, sha256 });
      if (written !== undefined) this.#addWritten(written);
    }
    await this.#checkSmall?.(path, content, sha256);
  }

  /** Waits until all files are written. @throws {DiskError} */
  async settle(): Promise<void> {
    for await (const written of this.#many.arrive()) this.#addWritten(written);
  }

  #addWritten(staged: StagedFile): StagedFile {
    this.#files.set(staged.path, staged);
    if (SYNCS_LATER) this.#unsynced.push(staged.path);
    return staged;
  }

  /**
   * Writes all files and folders to the disk. Call it before the release is installed: a pointer may name the release
   * only when a power cut can no longer take a file from it. Until then nothing needs the files, so they are synced
   * together.
   */
  async sync(): Promise<void> {
    using _working = new Working(this.#context, "writing the release to the disk");
    try {
      await syncFiles(this.#context, this.dir, this.#unsynced, this.#folders.unsynced);
    } catch (error) {
      throw diskError(error, "write the release to the disk");
    }
    this.#unsynced = [];
    this.#folders.noteSynced();
  }

  /**
   * Writes a file, hashed in the same pass; it is read-only and on the disk when this resolves. If the store turns out to
   * have the content already, the file is linked, so that no content is kept twice.
   */
  async write(
    path: string,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<StagedFile> {
    const { fs } = this.#store;
    const target = this.#place(path);
    try {
      using file = await fs.open(target, { write: true, createNew: true, mode: PRIVATE_MODE });
      const digest = await writeHashed(this.#context, file, target, content);
      return await this.#keep(path, target, file, digest);
    } catch (error) {
      // Another attempt of the carrier may write it again.
      if (this.#files.get(path) === undefined) removeIfThere(fs, target);
      throw diskError(error, `write ${path} into the store`);
    }
  }

  /**
   * Moves a downloaded and hashed file from the folder for partial files into its place; it is read-only and on the disk
   * when this resolves.
   */
  async take(path: string, location: string, digest: FileDigest): Promise<StagedFile> {
    const { fs } = this.#store;
    const target = this.#place(path);
    try {
      fs.renameSync(location, target);
      using file = await fs.open(target, { read: true, write: true });
      return await this.#keep(path, target, file, digest);
    } catch (error) {
      throw diskError(error, `move ${path} into the store`);
    }
  }

  /** Adds the file at its place; replaces it by a link if an installed release has the same content. */
  async #keep(path: string, target: string, file: Deno.FsFile, digest: FileDigest): Promise<StagedFile> {
    const { fs } = this.#store;
    // Not beside the target, where another file of the release may have any name.
    const isLinked = await this.#held.linkOver(target, digest.sha256, path, join(this.#root, "held"));
    if (!isLinked) {
      setMode(fs, target, IMMUTABLE_FILE_MODE);
      await file.sync();
    }
    const how = isLinked ? "linked" : "written";
    const staged: StagedFile = { path, ...digest, how, stamp: stampOf(fs.lstatSync(target)) };
    this.#files.set(path, staged);
    return staged;
  }

  /** Returns where a file goes, and creates its folders. @throws {RefusedError} if the path was staged before */
  #place(path: string): string {
    if (this.has(path)) {
      throw new RefusedError(`Cannot stage ${path} twice`, { code: "DUPLICATE_PATH" });
    }
    const target = join(this.dir, path);
    this.#folders.makeAbove(target);
    if (this.#isSpare(path)) removeIfThere(this.#store.fs, target);
    return target;
  }
}
