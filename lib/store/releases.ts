import { join } from "node:path";
import { RefusedError } from "../core/errors.ts";
import {
  findEntry,
  findText,
  ifFound,
  READABLE_MODE,
  removeTree,
  syncFolder,
  UnusableFileError,
} from "../core/files.ts";
import { replaceContent } from "../core/replace_file.ts";
import { readAt } from "../core/read_at.ts";
import { clearWay, removeState } from "../core/set_aside.ts";
import { Digest, type Manifest, MANIFEST_BYTES_MAX, readHead } from "../release/manifest.ts";
import { type ListTotals, readLazily } from "../release/plain_list.ts";
import type { NamedReleases } from "../release/match_digest.ts";
import { SIGNATURE_BYTES_MAX } from "../release/registry_file.ts";
import { identityOf, type StoredRelease } from "./manifest_memo.ts";
import { rememberWhole } from "./whole_manifests.ts";
import type { Store } from "./store.ts";

export type { StoredRelease };

/** Returns the name of a release's folder in `releases/`: the digest without its prefix. */
export function releaseDirName(digest: Digest): string {
  return digest.slice("sha256:".length);
}

/** Returns the folder that holds the files of a release. */
export function releaseDir(store: Store, digest: Digest): string {
  return join(store.releases, releaseDirName(digest));
}

/** Returns where the manifest of a release is. */
export function manifestPath(store: Store, digest: Digest): string {
  return `${releaseDir(store, digest)}.json`;
}

function signaturePath(store: Store, digest: Digest): string {
  return `${releaseDir(store, digest)}.sig`;
}

/**
 * Returns the signature that came with a release's manifest; `undefined` if none did. A signature that cannot be read
 * is returned as an empty text, which is never a good signature.
 */
export function findSignature(store: Store, digest: Digest): string | undefined {
  try {
    return findText(store.fs, signaturePath(store, digest), SIGNATURE_BYTES_MAX);
  } catch (error) {
    if (error instanceof UnusableFileError) return "";
    throw error;
  }
}

/** The text of a manifest, and what is known of its list. */
export interface ReadText {
  readonly text: string;
  readonly totals: ListTotals | undefined;
}

/**
 * Returns a release that the store holds whole; `undefined` if it does not hold it, or if the manifest is damaged.
 *
 * @param read what its file contains, if that was read
 */
export function findRelease(store: Store, digest: Digest, read?: ReadText): StoredRelease | undefined {
  return findManifest(store, digest, () => hasReleaseDir(store, digest), read);
}

/**
 * Returns a release of which the store has the manifest, whether or not it holds the files; `undefined` without a
 * manifest, or if it is damaged.
 *
 * @param isWanted called before the manifest is parsed
 */
export function findManifest(
  store: Store,
  digest: Digest,
  isWanted?: () => boolean,
  read?: ReadText,
): StoredRelease | undefined {
  const path = manifestPath(store, digest);
  const info = findEntry(store.fs, path);
  if (info === undefined || isWanted?.() === false) return undefined;
  const known = store.manifests.find(path, info);
  if (known !== undefined) return known;
  const release = readRelease(store, path, digest, read);
  // A link does not show when its file changes.
  if (release !== undefined && info.isFile) store.manifests.keep(path, info, release);
  return release;
}

/** Remembers the manifest of a release that was just installed, so that neither this run nor a prune parses it. */
export function keepManifest(store: Store, { manifest, text }: StoredRelease): void {
  const path = manifestPath(store, manifest.digest);
  const info = findEntry(store.fs, path);
  if (info?.isFile !== true) return;
  store.manifests.keep(path, info, { manifest, text });
  rememberWhole(store, manifest.digest, identityOf(info));
}

/** Returns whether a release has a complete manifest. Reads it only if its file has changed since it was installed. */
export function hasWholeManifest(
  store: Store,
  digest: Digest,
  identities: ReadonlyMap<Digest, string>,
): boolean {
  const info = findEntry(store.fs, manifestPath(store, digest));
  if (info === undefined) return false;
  return identityOf(info) === identities.get(digest) || findRelease(store, digest) !== undefined;
}

function readRelease(
  store: Store,
  path: string,
  digest: Digest,
  read?: ReadText,
): StoredRelease | undefined {
  try {
    const text = read?.text ?? findText(store.fs, path, MANIFEST_BYTES_MAX);
    if (text === undefined) return undefined;
    const manifest = readLazily(text, `the manifest ${path}`, read?.totals);
    return manifest.digest === digest ? { manifest, text } : undefined;
  } catch (error) {
    // A damaged release counts as missing: the next pull downloads it again.
    if (error instanceof RefusedError || error instanceof UnusableFileError) return undefined;
    throw error;
  }
}

/** Returns whether the store has a folder of this release, whole or not. */
export function hasReleaseDir(store: Store, digest: Digest): boolean {
  return findEntry(store.fs, releaseDir(store, digest))?.isDirectory === true;
}

/** Returns every release that the store holds whole, newest first: by sequence, then time, then digest. */
export function listReleases(store: Store): StoredRelease[] {
  const releases = listReleaseNames(store).flatMap((digest) => findRelease(store, digest) ?? []);
  return releases.sort((a, b) => compareAge(a.manifest, b.manifest));
}

/** What a manifest says besides its files. */
export type ReleaseHead = Pick<Manifest, "digest" | "sequence" | "createdAt">;

/** As {@link listReleases}, without the files: of a manifest as {@link formatManifest} writes it, only the head is read. */
export function listReleaseHeads(store: Store): ReleaseHead[] {
  return listReleaseNames(store).flatMap((digest) => findHead(store, digest) ?? []).sort(compareAge);
}

/** The head of a manifest is some hundred bytes, unless it lists withdrawals. Then the whole is read. */
const HEAD_BYTES = 4096;

const HEAD_END = ',\n  "files": [\n';
const MANIFEST_END = "\n  ]\n}\n";

function findHead(store: Store, digest: Digest): ReleaseHead | undefined {
  if (!hasReleaseDir(store, digest)) return undefined;
  const path = manifestPath(store, digest);
  const info = findEntry(store.fs, path);
  if (info === undefined) return undefined;
  const known = store.manifests.find(path, info)?.manifest;
  const head = known ?? (info.isFile ? ifFound(() => readOwnHead(store, path)) : undefined);
  return head?.digest === digest ? head : findRelease(store, digest)?.manifest;
}

function readOwnHead(store: Store, path: string): ReleaseHead | undefined {
  using file = store.fs.openSync(path, { read: true });
  const text = new TextDecoder().decode(readAt(file, 0, HEAD_BYTES));
  const end = readAt(file, Math.max(0, file.statSync().size - MANIFEST_END.length), MANIFEST_END.length);
  return new TextDecoder().decode(end) === MANIFEST_END ? parseHead(text) : undefined;
}

function parseHead(text: string): ReleaseHead | undefined {
  const end = text.indexOf(HEAD_END);
  if (end === -1) return undefined;
  try {
    return readHead(JSON.parse(`${text.slice(0, end)}\n}`));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Returns the digests of all release folders, whole or not, in no order. Reads no manifest. */
export function listReleaseNames(store: Store): Digest[] {
  return readNames(store).filter((name) => /^[0-9a-f]{64}$/.test(name))
    .map((hex) => Digest.parse(`sha256:${hex}`));
}

/** Returns the releases of the store for `matchRelease`. Digests are matched by folder names, which is fast. */
export function releasesOf(store: Store): NamedReleases {
  return {
    holder: "the store",
    digests: listReleaseNames(store),
    numbered: () => listReleases(store).map(({ manifest: { digest, sequence } }) => ({ digest, sequence })),
  };
}

/** Returns the digests of all manifests, with or without the files of the release, in no order. */
export function listManifestNames(store: Store): Digest[] {
  return readNames(store).filter((name) => /^[0-9a-f]{64}\.json$/.test(name))
    .map((name) => Digest.parse(`sha256:${name.slice(0, 64)}`));
}

/** Returns no names if the folder is missing or not a folder. Opening the store for writing recreates it. */
function readNames({ fs, releases }: Store): string[] {
  try {
    return ifFound(() => Array.from(fs.readDirSync(releases), (entry) => entry.name)) ?? [];
  } catch (error) {
    if (error instanceof Deno.errors.FilesystemLoop) return [];
    throw error;
  }
}

/** Newest first. */
function compareAge(a: ReleaseHead, b: ReleaseHead): number {
  return b.sequence - a.sequence || Date.parse(b.createdAt) - Date.parse(a.createdAt) ||
    (a.digest < b.digest ? -1 : 1);
}

/**
 * Installs staged files as a release, durably. Staging has synced the files and their folders; this writes the manifest,
 * and renames the folder last, which makes the release whole.
 */
export function installRelease(
  store: Store,
  stagedDir: string,
  digest: Digest,
  manifestText: string,
  signature?: string,
): void {
  replaceManifest(store, digest, manifestText, signature);
  // A file or a link in the place of the folder holds nothing of the release.
  ifFound(() => store.fs.removeSync(releaseDir(store, digest)));
  store.fs.renameSync(stagedDir, releaseDir(store, digest));
  syncFolder(store.fs, store.releases);
}

/** Writes the manifest of an installed release, which was published again with a later sequence or was damaged. */
export function writeManifest(store: Store, digest: Digest, text: string, signature?: string): void {
  replaceManifest(store, digest, text, signature);
  syncFolder(store.fs, store.releases);
}

/**
 * Writes the manifest of a release and its signature, byte for byte as they came. After a kill between the two, the
 * signature is that of another manifest. The run is then not on record, and the next pull writes both again. The caller
 * syncs the folder.
 */
function replaceManifest(store: Store, digest: Digest, text: string, signature?: string): void {
  if (signature === undefined) removeState(store.fs, signaturePath(store, digest));
  else replaceState(store, signaturePath(store, digest), signature);
  replaceState(store, manifestPath(store, digest), text);
}

function replaceState({ fs }: Store, path: string, text: string): void {
  clearWay(fs, path);
  replaceContent(fs, path, text, READABLE_MODE);
}

/** Removes a release. */
export async function removeRelease(store: Store, digest: Digest): Promise<void> {
  removeManifest(store, digest);
  await removeTree(store.fs, releaseDir(store, digest));
  syncFolder(store.fs, store.releases);
}

/** Removes the manifest of a release and its signature: without them, the folder is not a release. */
export function removeManifest(store: Store, digest: Digest): void {
  store.fs.removeSync(manifestPath(store, digest));
  removeState(store.fs, signaturePath(store, digest));
}

/**
 * Removes the remains of interrupted installations and removals: a folder without a manifest, a manifest or a signature
 * without a folder. Keeps a release that a pointer names: consumers may have it open, and the next pull repairs it.
 *
 * @param isNamed whether a pointer names the release
 */
export async function removePartialReleases(
  store: Store,
  isNamed: (digest: Digest) => boolean,
): Promise<void> {
  const names = new Set(Array.from(store.fs.readDirSync(store.releases), (entry) => entry.name));
  for (const name of names) {
    const release = name.replace(/\.(json|sig)$/, "");
    if (names.has(release) && names.has(`${release}.json`)) continue;
    const digest = Digest.safeParse(`sha256:${release}`);
    if (digest.success && isNamed(digest.data)) continue;
    await removeTree(store.fs, join(store.releases, name));
  }
}
