import { join } from "node:path";
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { findEntry, ifFound, removeTree, replaceFile } from "../core/files.ts";
import { StateFile } from "../core/state_file.ts";
import { readAt } from "../core/read_at.ts";
import { Digest } from "../release/manifest.ts";
import type { FolderMemory, ModelSet, RememberedFolder } from "../release/model_set.ts";
import type { FoundFile, FoundFiles } from "../release/scan_folder.ts";
import { encodeIndex, INDEX_CHECKSUM_BYTES, type IndexEntry } from "./index_file.ts";
import { Git } from "./git.ts";

const Remembered = z.object({
  /** Of the index that goes with this file. */
  checksum: z.string(),
  root: z.string(),
  digest: Digest,
  files: z.number(),
  bytes: z.number(),
  /** When a name in each folder last changed, mtime and ctime in milliseconds. */
  folders: z.array(z.tuple([z.string(), z.number(), z.number()])),
});
type Remembered = z.infer<typeof Remembered>;

/**
 * How long files must have been left alone before the folder is remembered. Git may compare whole seconds only, and
 * some file systems keep every other second.
 */
const SETTLED_MS = 2_500;

/** Nothing that somebody configured may make git's look at a file more lenient, or ask another program. */
const STRICT = [
  "core.checkStat=default",
  "core.trustctime=true",
  "core.ignoreStat=false",
  "core.fileMode=true",
  "core.fsmonitor=false",
  "core.preloadIndex=true",
];

/**
 * Remembers a folder of models as a git index without a repository around it, so that git can say whether any of its
 * files changed: git looks at 20,000 files in 15 ms, on all processors, where this runtime takes 80. It is only ever an
 * accelerator: deleting it costs time, nothing else.
 */
export class FolderIndex implements FolderMemory {
  readonly #context: Context;
  readonly #dir: string;

  /** @param stateDir where it is kept: a folder `folder_index` is made there */
  constructor(context: Context, stateDir: string) {
    this.#context = context;
    this.#dir = join(stateDir, "folder_index");
  }

  async findUnchanged(dir: string): Promise<RememberedFolder | undefined> {
    const remembered = this.#read();
    if (remembered === undefined || remembered.root !== ifFound(() => this.#context.fs.realPathSync(dir))) {
      return undefined;
    }
    if (!this.#foldersAreUnchanged(remembered) || !await this.#filesAreUnchanged(remembered.root)) {
      return undefined;
    }
    const { digest, files, bytes } = remembered;
    return { digest, files, bytes };
  }

  async remember(found: FoundFiles, set: ModelSet): Promise<void> {
    const { fs } = this.#context;
    // Windows has neither inodes in its index nor times of changed attributes.
    if (Deno.build.os === "windows" || found.followedLinks || !this.#isSettled(found)) {
      await removeTree(fs, this.#dir);
      return;
    }
    // What is damaged of it is no reason for a publish to fail: all of it is written anew.
    if (!this.#isSound()) await removeTree(fs, this.#dir);
    for (const folder of ["objects", "refs"]) fs.mkdirSync(join(this.#dir, folder), { recursive: true });
    replaceFile(fs, join(this.#dir, "HEAD"), "ref: refs/heads/none\n");
    const index = await encodeIndex(
      found.files.map((file, row) => entryOf(file, set.files[row]?.sha256 ?? "")),
    );
    replaceFile(fs, this.#indexPath, index.bytes);
    const remembered: Remembered = {
      checksum: index.checksum,
      root: found.root,
      digest: set.digest,
      files: set.files.length,
      bytes: found.files.reduce((sum, file) => sum + file.info.size, 0),
      folders: [...found.folders].map(([path, info]) => [path, timeOf(info.mtime), timeOf(info.ctime)]),
    };
    this.#remembered.replace(remembered);
  }

  /** Whether each entry is the kind of entry that is written there. */
  #isSound(): boolean {
    const isKind = (name: string, kind: "isFile" | "isDirectory") => {
      const info = findEntry(this.#context.fs, join(this.#dir, name));
      return info === undefined || info[kind];
    };
    return isKind("", "isDirectory") && ["objects", "refs"].every((name) => isKind(name, "isDirectory")) &&
      ["HEAD", "index", "folder.json"].every((name) => isKind(name, "isFile"));
  }

  get #indexPath(): string {
    return join(this.#dir, "index");
  }

  get #remembered(): StateFile<Remembered> {
    return new StateFile<Remembered>(this.#context.fs, join(this.#dir, "folder.json"), Remembered);
  }

  /** What goes with the index that is there: a run may have been killed after it wrote one of the two. */
  #read(): Remembered | undefined {
    const read = this.#remembered.read();
    return read.kind === "found" && read.value.checksum === this.#readChecksum() ? read.value : undefined;
  }

  #readChecksum(): string | undefined {
    const { fs } = this.#context;
    const info = findEntry(fs, this.#indexPath);
    if (info?.isFile !== true || info.size < INDEX_CHECKSUM_BYTES) return undefined;
    using file = fs.openSync(this.#indexPath, { read: true });
    return readAt(file, info.size - INDEX_CHECKSUM_BYTES, INDEX_CHECKSUM_BYTES).toHex();
  }

  #foldersAreUnchanged({ root, folders }: Remembered): boolean {
    return folders.every(([path, mtimeMs, ctimeMs]) => {
      const info = findEntry(this.#context.fs, path === "" ? root : `${root}/${path}`);
      return info?.isDirectory === true && timeOf(info.mtime) === mtimeMs && timeOf(info.ctime) === ctimeMs;
    });
  }

  async #filesAreUnchanged(root: string): Promise<boolean> {
    const git = new Git(this.#context, {
      repoDir: root,
      transferTimeoutMs: 0,
      env: { GIT_DIR: this.#dir, GIT_WORK_TREE: root, GIT_INDEX_FILE: this.#indexPath },
      config: STRICT,
    });
    // The plumbing command compares times and sizes and reads no file, unlike `git diff`.
    const { code } = await git.attempt(["diff-files", "--quiet"], { action: `look for changes in ${root}` });
    return code === 0;
  }

  #isSettled({ files, folders }: FoundFiles): boolean {
    const now = this.#context.clock.now().getTime();
    const isSettled = (info: Deno.FileInfo) =>
      Math.abs(now - timeOf(info.mtime)) >= SETTLED_MS && Math.abs(now - timeOf(info.ctime)) >= SETTLED_MS;
    return files.every(({ info }) => isSettled(info)) && [...folders.values()].every(isSettled);
  }
}

function entryOf({ path, info }: FoundFile, sha256: string): IndexEntry {
  return {
    path,
    mtimeMs: timeOf(info.mtime),
    ctimeMs: timeOf(info.ctime),
    device: info.dev,
    inode: info.ino ?? 0,
    isExecutable: ((info.mode ?? 0) & 0o100) !== 0,
    uid: info.uid ?? 0,
    gid: info.gid ?? 0,
    size: info.size,
    // Git would compare the object's name only if it read the file, which it is told not to; any other is as good.
    object: sha256.slice(0, 40),
  };
}

function timeOf(time: Date | null): number {
  return time?.getTime() ?? 0;
}
