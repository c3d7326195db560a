import { quote } from "../core/quote.ts";
import { dirname, join } from "node:path";
import { DiskError, diskError, osErrorCode, RefusedError } from "../core/errors.ts";
import {
  entryKind,
  type FileSystem,
  findEntry,
  findText,
  READABLE_MODE,
  removeIfThere,
  syncFolder,
} from "../core/files.ts";
import { replaceFile } from "../core/replace_file.ts";
import { formatBytes } from "../core/format.ts";
import type { ActivationMode } from "../config/choices.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import { withReserve } from "./reserve.ts";
import { findRelease, releaseDirName } from "./releases.ts";
import { setAside } from "../core/set_aside.ts";
import { warnOfDamage } from "./state_entries.ts";
import type { Store } from "./store.ts";

/** `current` names the release that consumers see, `previous` the one that a rollback activates. */
export type PointerName = "current" | "previous";

/** The error code for a damaged `current`. */
export const POINTER_INVALID = "POINTER_INVALID";

/**
 * Returns the release that a pointer names; `undefined` if it is not set, or if `previous` is damaged.
 *
 * @throws {RefusedError} code `POINTER_INVALID`: `current` is damaged
 */
export function readPointer(store: Store, name: PointerName): Digest | undefined {
  const path = join(store.root, name);
  const entry = findEntry(store.fs, path);
  if (entry === undefined) return undefined;
  const target = readTarget(store.fs, path, entry);
  const hex = /^releases[/\\]([0-9a-f]{64})$/.exec(target.text)?.[1];
  if (hex !== undefined) return `sha256:${hex}`;
  if (name === "previous") {
    warnOfDamage(store, name, target.shown);
    return undefined;
  }
  throw new RefusedError(`Cannot read the pointer ${path}: ${target.shown}, not releases/<digest>`, {
    code: POINTER_INVALID,
    hint: `model-sync rollback may restore it, and so may ${ANY_PULL}; else remove ${path}`,
  });
}

/** A pull in the hints of a store, which does not know how its releases are pulled. */
export const ANY_PULL = "model-sync pull, or the command of its carrier";

/** Returns a hint of the store with the machine's own command for a pull. @param command `model-sync hf-pull` */
export function namePull(hint: string, command: string): string {
  return hint.replace(ANY_PULL, command);
}

/** Returns the text of a pointer, and a description of it for messages. */
function readTarget(
  fs: FileSystem,
  path: string,
  entry: Deno.FileInfo,
): { readonly text: string; readonly shown: string } {
  if (entry.isSymlink) {
    const text = fs.readLinkSync(path);
    return { text, shown: `it says ${quote(text)}` };
  }
  if (!entry.isFile) return { text: "", shown: `it is ${entryKind(entry)}` };
  if (entry.size > POINTER_BYTES_MAX) return { text: "", shown: `it has ${formatBytes(entry.size)}` };
  const text = (findText(fs, path) ?? "").trim();
  return { text, shown: `it says ${quote(text.slice(0, SHOWN_CHARS_MAX))}` };
}

/** Removes a `previous` that names no release. A rollback then activates the newest older release. */
export function clearDamagedPrevious(store: Store): void {
  const path = join(store.root, "previous");
  if (findEntry(store.fs, path) !== undefined && readPointer(store, "previous") === undefined) {
    setAside(store.fs, path);
  }
}

const SHOWN_CHARS_MAX = 100;

/** A pointer that is a file holds `releases/` and 64 digits. */
const POINTER_BYTES_MAX = 1024;

/**
 * The releases that the pointers are to name. All links are created before the first is renamed: if the system refuses
 * one, no pointer has moved.
 */
export type PointerTargets = Readonly<Partial<Record<PointerName, Digest>>>;

/**
 * Sets pointers, `previous` first, each by one rename: a reader sees the old release or the new one. In symlink mode,
 * consumers follow `current`, so it must be a link. In mirror mode no consumer follows it, and a file replaces it where
 * links do not work.
 *
 * @throws {DiskError} code `LINK_REFUSED`, or `DISK`
 */
export function setPointers(store: Store, targets: PointerTargets, mode: ActivationMode): void {
  const wanted = POINTERS.flatMap((name) => {
    const digest = targets[name];
    return digest === undefined ? [] : [{ path: join(store.root, name), target: pointerText(digest) }];
  });
  const kinds = wanted.map(({ path, target }) =>
    withReserve(store, () => prepareLink(store, path, target, mode))
  );
  for (const [index, { path, target }] of wanted.entries()) {
    if (kinds[index] === "link") store.fs.renameSync(temporaryOf(path), path);
    else withReserve(store, () => replaceFile(store.fs, path, `${target}\n`, READABLE_MODE));
  }
  syncFolder(store.fs, store.root);
}

/** Sets a pointer back to an earlier value, which may be none. Does nothing if it has that value. */
export function restorePointer(
  store: Store,
  name: PointerName,
  digest: Digest | undefined,
  mode: ActivationMode,
): void {
  if (readPointer(store, name) === digest) return;
  if (digest !== undefined) return setPointers(store, { [name]: digest }, mode);
  removeIfThere(store.fs, join(store.root, name));
  syncFolder(store.fs, store.root);
}

/**
 * Replaces pointers that are files by links, for a model folder that is a link to `current`. Older versions wrote files
 * when the system refused a link once.
 *
 * @returns whether there were any
 */
export function relinkPointers(store: Store): boolean {
  const files = POINTERS.filter((name) => findEntry(store.fs, join(store.root, name))?.isFile === true);
  for (const name of files) {
    const digest = readPointer(store, name);
    if (digest !== undefined) setPointers(store, { [name]: digest }, "symlink");
  }
  return files.length > 0;
}

/** In the order in which they are set. */
const POINTERS: readonly PointerName[] = ["previous", "current"];

function pointerText(digest: Digest): string {
  return join("releases", releaseDirName(digest));
}

function temporaryOf(path: string): string {
  return `${path}.new`;
}

function prepareLink(store: Store, path: string, target: string, mode: ActivationMode): "link" | "file" {
  const temporary = temporaryOf(path);
  removeIfThere(store.fs, temporary);
  try {
    makeLink(store, target, temporary);
    return "link";
  } catch (error) {
    const isRefused = error instanceof DiskError && error.code === "LINK_REFUSED";
    if (mode === "mirror" && isRefused) return "file";
    throw error;
  }
}

/**
 * Creates a link to a folder.
 *
 * @throws {DiskError} code `LINK_REFUSED` if the system does not let this user create links there
 */
export function makeLink(store: Store, target: string, path: string): void {
  try {
    store.fs.symlinkSync(target, path, { type: "dir" });
  } catch (error) {
    if (!isSymlinkUnsupported(error)) throw diskError(error, `create the link ${path}`);
    throw new DiskError(
      `Cannot create the link ${path}: the system refuses it (${osErrorCode(error) ?? "not supported"})`,
      {
        code: "LINK_REFUSED",
        cause: error,
        hint: `run as the user that owns ${
          dirname(path)
        }, and check that links work there: model-sync doctor`,
      },
    );
  }
}

/** FAT and some network file systems have no links. Windows allows them to privileged users only. */
export function isSymlinkUnsupported(error: unknown): boolean {
  if (error instanceof Deno.errors.NotSupported || error instanceof Deno.errors.PermissionDenied) return true;
  const code = osErrorCode(error) ?? "";
  // 1314: ERROR_PRIVILEGE_NOT_HELD
  return ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "1314"].includes(code) ||
    (error instanceof Error && error.message.includes("os error 1314"));
}

/** Returns whether the file system of the store has symbolic links. Creates one to find out. */
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

/** What a store knows of its active release. */
export type ActiveRelease =
  | { readonly kind: "none" }
  | { readonly kind: "whole"; readonly manifest: Manifest }
  /** `digest` is `undefined` if the pointer is damaged. */
  | { readonly kind: "damaged"; readonly digest: Digest | undefined; readonly error: RefusedError };

/** Returns the active release, or why it cannot be read, for commands that then show the rest. */
export function readActive(store: Store): ActiveRelease {
  try {
    const digest = readPointer(store, "current");
    if (digest === undefined) return { kind: "none" };
    const manifest = findRelease(store, digest)?.manifest;
    return manifest === undefined
      ? { kind: "damaged", digest, error: damagedRelease("read", digest) }
      : { kind: "whole", manifest };
  } catch (error) {
    if (!(error instanceof RefusedError) || error.code !== POINTER_INVALID) throw error;
    return { kind: "damaged", digest: undefined, error };
  }
}

/** Returns the error that a command cannot do something with a release because the store holds only a part of it. */
export function damagedRelease(what: string, digest: Digest): RefusedError {
  return new RefusedError(
    `Cannot ${what} release ${shortDigest(digest)}: its manifest or folder is missing or damaged`,
    {
      code: "RELEASE_DAMAGED",
      hint: `pull it again with --force: ${ANY_PULL}`,
    },
  );
}

/** Returns the manifest of the active release; `undefined` if none is active, or if the store does not hold it whole. */
export function activeManifest(store: Store): Manifest | undefined {
  const digest = readPointer(store, "current");
  return digest === undefined ? undefined : findRelease(store, digest)?.manifest;
}
