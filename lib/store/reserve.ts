import { join } from "node:path";
import { isDiskFull, osErrorCode } from "../core/errors.ts";
import { type FileSystem, findEntry, ifFound, syncFolder, writeAllSync } from "../core/files.ts";
import type { Store } from "./store.ts";

/**
 * The bytes that a rollback writes: the intent, the old and the new quarantine with a thousand entries, two links, a line
 * of history. File systems allocate whole blocks, some even for a link.
 */
const RESERVE_BYTES = 512 * 1024;

/** The number of files that a rollback creates: the intent, the quarantine, links, locks. Each needs an inode. */
const RESERVE_FILES = 8;

/** The most bytes that `crypto` fills at once. */
const PIECE_BYTES = 64 * 1024;

/**
 * Does a write that has to succeed on a full disk: if there is no room, frees the reserve and writes again.
 */
export function withReserve<Result>(store: Store, write: () => Result): Result {
  try {
    return write();
  } catch (error) {
    if (!isDiskFull(error) || !giveUpReserve(store)) throw error;
    store.warn("the disk is full: the store's reserve is used");
    return write();
  }
}

/** Frees the reserve, or the stat caches of a store without a reserve. @returns whether there was anything to free */
function giveUpReserve(store: Store): boolean {
  const { fs, root, statCache } = store;
  const folder = [reserveDir(store), statCache].find((one) => listEntries(fs, one).length > 0);
  if (folder === undefined) return false;
  for (const { name } of listEntries(fs, folder)) fs.removeSync(join(folder, name), { recursive: true });
  // Some file systems reuse freed blocks only once the removal is on the disk.
  syncFolder(fs, folder);
  syncFolder(fs, root);
  return true;
}

/** Fills the reserve, as far as the disk has room. A failure does not fail the run. */
export function refillReserve(store: Store): void {
  const { fs } = store;
  const folder = reserveDir(store);
  try {
    const entries = listEntries(fs, folder);
    // A link would redirect the write, and a named pipe would wait for a reader.
    const wrong = entries.filter(({ isFile }) => !isFile);
    for (const { name } of wrong) fs.removeSync(join(folder, name), { recursive: true });
    const size = findEntry(fs, join(folder, "0"))?.size ?? 0;
    if (entries.length - wrong.length >= RESERVE_FILES && size >= RESERVE_BYTES) return;
    fs.mkdirSync(folder, { recursive: true });
    fillReserve(fs, folder, size);
  } catch (error) {
    if (osErrorCode(error) === undefined) throw error;
  }
}

/** Writes random bytes: file systems that compress would store zeros in no blocks. */
function fillReserve(fs: FileSystem, folder: string, size: number): void {
  for (let index = RESERVE_FILES - 1; index > 0; index--) {
    fs.openSync(join(folder, String(index)), { write: true, create: true }).close();
  }
  using file = fs.openSync(join(folder, "0"), { append: true, create: true });
  for (let written = size; written < RESERVE_BYTES; written += PIECE_BYTES) {
    writeAllSync(file, crypto.getRandomValues(new Uint8Array(PIECE_BYTES)));
  }
  file.syncSync();
}

function reserveDir(store: Store): string {
  return join(store.root, "reserve");
}

function listEntries(fs: FileSystem, folder: string): Deno.DirEntry[] {
  return ifFound(() => Array.from(fs.readDirSync(folder))) ?? [];
}

/** Creates the lock file of `pause`, `resume` and `run-now` if it is missing, also on a full disk. */
export function makeControlLock(store: Store): void {
  withReserve(
    store,
    () => store.fs.openSync(join(store.root, "control.lock"), { write: true, create: true }).close(),
  );
}
