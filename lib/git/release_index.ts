import { join } from "node:path";
import * as z from "zod";
import type { Context } from "../core/context.ts";
import { removeTree } from "../core/files.ts";
import { replaceFile } from "../core/replace_file.ts";
import { StateFile } from "../core/state_file.ts";
import { Digest } from "../release/manifest.ts";
import type { FileOwner, IndexedFiles, ReleaseIndex } from "../release/release_index.ts";
import type { IndexEntry } from "./index_file.ts";

const Remembered = z.object({
  schema: z.literal(1),
  release: Digest,
  /** The checksum of the index that belongs to this file. */
  checksum: z.string(),
  /** The files that changed after the index was written, or a moment before. */
  unsure: z.array(z.string()),
});
type Remembered = z.infer<typeof Remembered>;

/** Git starts in the time in which Deno examines as many files. */
const FILES_MIN = 1000;

/** With more of them, a new index takes less time than their examination in each pull. */
const UNSURE_MAX = 1000;

/** How long a file must be unchanged: git may compare whole seconds only, and some disks store even seconds only. */
const SETTLED_MS = 2_500;

/**
 * Remembers the active release as a git index without a repository. The index is written once for many releases: the files
 * that changed since then are listed beside it. What starts git is loaded with the first use: an unchanged pull needs none.
 */
export class GitReleaseIndex implements ReleaseIndex {
  readonly filesMin: number;
  readonly #context: Context;
  readonly #dir: string;

  /** @param stateDir the store; the index is in its folder `release_index` */
  constructor(context: Context, stateDir: string, filesMin = FILES_MIN) {
    this.#context = context;
    this.filesMin = filesMin;
    this.#dir = join(stateDir, "release_index");
  }

  async findUnsure(release: Digest, folder: string): Promise<ReadonlySet<string> | undefined> {
    const remembered = this.#read();
    if (remembered?.release !== release) return undefined;
    const { listChangedFiles } = await import("./index_changes.ts");
    const changes = await listChangedFiles(this.#context, {
      root: folder,
      gitDir: this.#dir,
      index: this.#indexPath,
      checksum: remembered.checksum,
      // It changes with each link to a file.
      trustsCtime: false,
    });
    if (changes === undefined) {
      this.#remembered.remove();
      return undefined;
    }
    for (const path of remembered.unsure) changes.changed.add(path);
    return changes.changed;
  }

  follow(before: Digest, release: Digest, others: readonly string[]): boolean {
    const remembered = this.#read();
    if (remembered?.release !== before) return false;
    const unsure = [...new Set([...remembered.unsure, ...others])];
    if (unsure.length > UNSURE_MAX) return false;
    this.#remembered.replace({ ...remembered, release, unsure });
    return true;
  }

  async replace(release: Digest, files: IndexedFiles, owner: FileOwner): Promise<void> {
    const { fs, clock } = this.#context;
    const now = clock.now().getTime();
    const { paths, mtimesMs } = files;
    const unsure = paths.filter((_, row) => Math.abs(now - (mtimesMs[row] ?? now)) < SETTLED_MS);
    // Git indexes on Windows have no inodes.
    if (Deno.build.os === "windows" || unsure.length > UNSURE_MAX) return;
    const { createIndexFolder } = await import("./index_changes.ts");
    const { encodeIndex } = await import("./index_file.ts");
    await removeTree(fs, this.#dir);
    createIndexFolder(fs, this.#dir);
    const { bytes, checksum } = await encodeIndex({ [Symbol.iterator]: () => entriesOf(files, owner) });
    replaceFile(fs, this.#indexPath, bytes);
    this.#remembered.replace({ schema: 1, release, checksum, unsure });
  }

  #read(): Remembered | undefined {
    const read = this.#remembered.read();
    return read.kind === "found" ? read.value : undefined;
  }

  get #indexPath(): string {
    return join(this.#dir, "index");
  }

  get #remembered(): StateFile<Remembered> {
    return new StateFile<Remembered>(this.#context.fs, join(this.#dir, "release.json"), Remembered, {
      isUnsynced: true,
      hasChecksum: true,
    });
  }
}

/** Git compares the object's name only when it reads the file, which it does not do here. */
const ANY_OBJECT = "1".repeat(40);

/** Yields the entries of an index. Each is the same object, with other values: one for each file would be 15 MB. */
function* entriesOf(files: IndexedFiles, { dev, uid, gid }: FileOwner): Generator<IndexEntry> {
  const { paths, sizes, mtimesMs, ctimesMs, inodes, rows } = files;
  const entry = {
    path: "",
    mtimeMs: 0,
    ctimeMs: 0,
    device: dev,
    inode: 0,
    isExecutable: false,
    uid: uid ?? 0,
    gid: gid ?? 0,
    size: 0,
    object: ANY_OBJECT,
  };
  for (const row of rows) {
    entry.path = paths[row] ?? "";
    entry.mtimeMs = mtimesMs[row] ?? 0;
    entry.ctimeMs = ctimesMs[row] ?? 0;
    entry.inode = inodes[row] ?? 0;
    entry.size = sizes[row] ?? 0;
    yield entry;
  }
}
