import { join } from "node:path";
import { eachAtOnce } from "./concurrency.ts";
import type { Context } from "./context.ts";
import { ModelSyncError } from "./errors.ts";
import { type FileSystem, syncFolder } from "./files.ts";
import { runProcess } from "./subprocess.ts";

/**
 * From this many files on, syncing the whole file system is faster than syncing each file: a file costs about 0.1 ms, and
 * a commit of the file system's journal. For fewer files, the data of other programs is not worth waiting for.
 */
export const WHOLE_DISK_FILES_MIN = 256;

/** The number of parallel syncs: the disk writes several files at once, and their entries in one commit. */
const PARALLEL_SYNCS_MAX = 32;

/** At 10 MB/s, the data of 18 GB of memory. A disk that needs longer is broken, or its files are synced one by one. */
const WHOLE_DISK_TIMEOUT_MS = 30 * 60_000;

/**
 * Syncs the file system of a folder with syncfs(2), which the runtime does not offer. It is trusted only where it is as
 * good as an fsync of each file: since Linux 5.8 it reports failed writes, and these file systems wait for the disk. On
 * network and FUSE file systems, it may write only to the server's memory. Fails where it is not trusted.
 */
const SYNC_WHOLE_DISK = `
release=$(uname -r) && major=\${release%%.*} && rest=\${release#*.} && minor=\${rest%%[!0-9]*} || exit 1
[ "$major" -gt 5 ] || { [ "$major" -eq 5 ] && [ "$minor" -ge 8 ]; } || exit 1
case $(stat -f -c %T -- "$1") in ext2/ext3 | xfs | btrfs | f2fs) ;; *) exit 1 ;; esac
exec sync -f -- "$1"
`;

/** What syncing needs of the outside world. */
type Outside = Pick<Context, "fs" | "spawn" | "signal">;

/**
 * Writes the content of files and the entries of folders to the disk: after a power cut, they are complete. Many of them
 * are synced by one call where that promises the same.
 *
 * @param folder the folder that holds all of them, on one file system
 * @param paths the files, relative to the folder
 * @param folders absolute paths
 */
export async function syncFiles(
  outside: Outside,
  folder: string,
  paths: readonly string[],
  folders: readonly string[],
): Promise<void> {
  const isMany = paths.length + folders.length >= WHOLE_DISK_FILES_MIN;
  if (isMany && await syncWholeDisk(outside, folder)) return;
  const { fs, signal } = outside;
  // Joined one by one: the whole paths of 50,000 files take 6 MB.
  const sync = (path: string, signal: AbortSignal) => syncFile(fs, join(folder, path), signal);
  await eachAtOnce(signal, paths, PARALLEL_SYNCS_MAX, sync);
  for (const path of folders) syncFolder(outside.fs, path);
}

/** Writes the content of files to the disk, up to `countMax` at once. */
export async function syncEach(
  { fs, signal }: Pick<Context, "fs" | "signal">,
  paths: readonly string[],
  countMax: number,
): Promise<void> {
  await eachAtOnce(signal, paths, countMax, (path, signal) => syncFile(fs, path, signal));
}

async function syncFile(fs: FileSystem, path: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  using file = await fs.open(path, { read: true });
  await file.sync();
}

/** Returns whether everything on the file system of a folder is on the disk. */
async function syncWholeDisk({ spawn, signal }: Outside, folder: string): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  try {
    const { code } = await runProcess(spawn, {
      command: "sh",
      args: ["-c", SYNC_WHOLE_DISK, "sync", folder],
      title: "sync",
      timeoutMs: WHOLE_DISK_TIMEOUT_MS,
      signal,
    });
    return code === 0;
  } catch (error) {
    signal.throwIfAborted();
    // Without a shell, or after the time limit, each file is synced.
    if (error instanceof ModelSyncError) return false;
    throw error;
  }
}
