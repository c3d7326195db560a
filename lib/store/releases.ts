import { join } from "node:path";
import { RefusedError } from "../core/errors.ts";
import {
  findEntry,
  findText,
  ifFound,
  READABLE_MODE,
  removeTree,
  replaceFile,
  syncFolder,
  syncFolders,
  UnusableFileError,
} from "../core/files.ts";
import { clearWay, removeState } from "../core/set_aside.ts";
import { Digest, type Manifest, MANIFEST_BYTES_MAX, readManifest } from "../release/manifest.ts";
import { SIGNATURE_BYTES_MAX } from "../release/registry_file.ts";
import type { Store } from "./store.ts";

/** A manifest with the very text that it was read from, which is what a signature covers. */
export interface StoredRelease {
  readonly manifest: Manifest;
  readonly text: string;
}

/** The folder of a release below `releases/`: the digest without its prefix. */
export function releaseDirName(digest: Digest): string {
  return digest.slice("sha256:".length);
}

/** Where the files of a release are. */
export function releaseDir(store: Store, digest: Digest): string {
  return join(store.releases, releaseDirName(digest));
}

function manifestPath(store: Store, digest: Digest): string {
  return `${releaseDir(store, digest)}.json`;
}

function signaturePath(store: Store, digest: Digest): string {
  return `${releaseDir(store, digest)}.sig`;
}

/**
 * The signature that came with a release's manifest; `undefined` when none did. What cannot be read is no signature
 * that could be trusted, and not the same as none: it is an empty text.
 */
export function findSignature(store: Store, digest: Digest): string | undefined {
  try {
    return findText(store.fs, signaturePath(store, digest), SIGNATURE_BYTES_MAX);
  } catch (error) {
    if (error instanceof UnusableFileError) return "";
    throw error;
  }
}

/** A release that the store holds whole; `undefined` when it holds it not, or its manifest is damaged. */
export function findRelease(store: Store, digest: Digest): StoredRelease | undefined {
  try {
    const text = findText(store.fs, manifestPath(store, digest), MANIFEST_BYTES_MAX);
    if (text === undefined || !hasReleaseDir(store, digest)) return undefined;
    const manifest = readManifest(text, `the manifest ${manifestPath(store, digest)}`);
    return manifest.digest === digest ? { manifest, text } : undefined;
  } catch (error) {
    // Damage makes it a release that is not held: the next pull brings it again.
    if (error instanceof RefusedError || error instanceof UnusableFileError) return undefined;
    throw error;
  }
}

/** Whether there is a folder of this release, whole or not. */
export function hasReleaseDir(store: Store, digest: Digest): boolean {
  return findEntry(store.fs, releaseDir(store, digest))?.isDirectory === true;
}

/** Every release that the store holds whole, newest first: by sequence, then by time, then by name. */
export function listReleases(store: Store): StoredRelease[] {
  const releases = listReleaseNames(store).flatMap((digest) => findRelease(store, digest) ?? []);
  return releases.sort((a, b) => compareAge(a.manifest, b.manifest));
}

/** The digests of all release folders, whole or not, in no order: no manifest is read. */
export function listReleaseNames(store: Store): Digest[] {
  return readNames(store).filter((name) => /^[0-9a-f]{64}$/.test(name))
    .map((hex) => Digest.parse(`sha256:${hex}`));
}

/** None where the folder is missing, or is no folder: opening the store for writing makes it again. */
function readNames({ fs, releases }: Store): string[] {
  try {
    return ifFound(() => Array.from(fs.readDirSync(releases), (entry) => entry.name)) ?? [];
  } catch (error) {
    if (error instanceof Deno.errors.FilesystemLoop) return [];
    throw error;
  }
}

/** Newest first. */
function compareAge(a: Manifest, b: Manifest): number {
  return b.sequence - a.sequence || Date.parse(b.createdAt) - Date.parse(a.createdAt) ||
    (a.digest < b.digest ? -1 : 1);
}

/**
 * Moves staged files into the store as a release, durably: files were synced by whoever wrote them, then come their
 * folders, the manifest, and last the rename that makes the release whole.
 */
export function installRelease(
  store: Store,
  stagedDir: string,
  digest: Digest,
  manifestText: string,
  signature?: string,
): void {
  syncFolders(store.fs, stagedDir);
  writeManifest(store, digest, manifestText, signature);
  // A file or a link that took the place of the folder holds nothing of the release.
  ifFound(() => store.fs.removeSync(releaseDir(store, digest)));
  store.fs.renameSync(stagedDir, releaseDir(store, digest));
  syncFolder(store.fs, store.releases);
}

/**
 * Writes the manifest of a release and its signature, byte for byte as they came. Also for a release that the store
 * holds already and that was published again under a later sequence. A kill in between leaves a signature of another
 * manifest: then the run was not recorded, and the next one brings both again.
 */
export function writeManifest(store: Store, digest: Digest, text: string, signature?: string): void {
  if (signature === undefined) removeState(store.fs, signaturePath(store, digest));
  else replaceState(store, signaturePath(store, digest), signature);
  replaceState(store, manifestPath(store, digest), text);
}

function replaceState({ fs }: Store, path: string, text: string): void {
  clearWay(fs, path);
  replaceFile(fs, path, text, READABLE_MODE);
}

/** Removes a release. Its manifest goes first: what is left of a removal that was cut is not a release. */
export async function removeRelease(store: Store, digest: Digest): Promise<void> {
  store.fs.removeSync(manifestPath(store, digest));
  removeState(store.fs, signaturePath(store, digest));
  await removeTree(store.fs, releaseDir(store, digest));
  syncFolder(store.fs, store.releases);
}

/**
 * Removes what a killed run left half made or half removed: a folder without manifest, a manifest or signature without
 * folder. Never what `isNamed` says that a pointer names: consumers may have it open, and the next pull repairs it.
 */
export async function removePartialReleases(
  store: Store,
  isNamed: (digest: Digest) => boolean,
): Promise<number> {
  const names = new Set(Array.from(store.fs.readDirSync(store.releases), (entry) => entry.name));
  let count = 0;
  for (const name of names) {
    const release = name.replace(/\.(json|sig)$/, "");
    if (names.has(release) && names.has(`${release}.json`)) continue;
    const digest = Digest.safeParse(`sha256:${release}`);
    if (digest.success && isNamed(digest.data)) continue;
    await removeTree(store.fs, join(store.releases, name));
    count++;
  }
  return count;
}
