import { quote } from "../core/quote.ts";
import { dirname, join } from "node:path";
import { osErrorCode, RefusedError } from "../core/errors.ts";
import { findEntry, replaceFile, syncFolder } from "../core/files.ts";
import type { Digest } from "../release/manifest.ts";
import { releaseDirName } from "./releases.ts";
import type { Store } from "./store.ts";

/** `current` is what consumers see, `previous` what `rollback` returns to. */
export type PointerName = "current" | "previous";

/** The release that a pointer names; `undefined` when it is not set. */
export function readPointer(store: Store, name: PointerName): Digest | undefined {
  const path = join(store.root, name);
  const entry = findEntry(store.fs, path);
  if (entry === undefined) return undefined;
  const target = entry.isSymlink ? store.fs.readLinkSync(path) : store.fs.readTextFileSync(path).trim();
  const hex = /^releases[/\\]([0-9a-f]{64})$/.exec(target)?.[1];
  if (hex === undefined) {
    throw new RefusedError(
      `Cannot read the pointer ${path}: it says ${quote(target)}, not releases/<digest>`,
      {
        code: "POINTER_INVALID",
        hint: `remove ${path} and pull again`,
      },
    );
  }
  return `sha256:${hex}`;
}

/**
 * Makes a pointer name a release, by one rename: a reader sees the old release or the new one. The caller syncs the
 * store's folder once after all its pointers.
 */
export function setPointer(store: Store, name: PointerName, digest: Digest): void {
  const path = join(store.root, name);
  replaceLink(store, path, join("releases", releaseDirName(digest)));
}

/** Takes a pointer back to a value it had, which may be none. */
export function restorePointer(store: Store, name: PointerName, digest: Digest | undefined): void {
  if (digest !== undefined) setPointer(store, name, digest);
  else if (findEntry(store.fs, join(store.root, name)) !== undefined) {
    store.fs.removeSync(join(store.root, name));
  }
}

export function syncPointers(store: Store): void {
  syncFolder(store.fs, store.root);
}

function replaceLink(store: Store, path: string, target: string): void {
  const temporary = `${path}.new`;
  if (findEntry(store.fs, temporary) !== undefined) store.fs.removeSync(temporary);
  try {
    store.fs.symlinkSync(target, temporary, { type: "dir" });
  } catch (error) {
    if (!isSymlinkUnsupported(error)) throw error;
    // A pointer that no consumer follows (mirror mode) can as well be a file.
    replaceFile(store.fs, path, `${target}\n`);
    return;
  }
  store.fs.renameSync(temporary, path);
}

/** FAT and some network file systems have no links; Windows gives them to privileged users only. */
export function isSymlinkUnsupported(error: unknown): boolean {
  if (error instanceof Deno.errors.NotSupported || error instanceof Deno.errors.PermissionDenied) return true;
  const code = osErrorCode(error) ?? "";
  // 1314: ERROR_PRIVILEGE_NOT_HELD
  return ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "1314"].includes(code) ||
    (error instanceof Error && error.message.includes("os error 1314"));
}

/** Whether the folder that holds `path` can hold symbolic links; tries one. */
export function supportsSymlinks(store: Store): boolean {
  const probe = join(store.staging, ".symlink-probe");
  if (findEntry(store.fs, probe) !== undefined) store.fs.removeSync(probe);
  try {
    store.fs.symlinkSync("target", probe);
  } catch (error) {
    if (isSymlinkUnsupported(error)) return false;
    throw error;
  }
  store.fs.removeSync(probe);
  return true;
}

/** Whether two paths are on one file system, so that a rename between them is possible. */
export function onSameFileSystem(store: Store, path: string): boolean {
  return store.fs.statSync(store.root).dev === store.fs.statSync(dirname(path)).dev;
}
