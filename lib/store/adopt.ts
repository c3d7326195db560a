import { dirname, join } from "node:path";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { osErrorCode, RefusedError } from "../core/errors.ts";
import {
  findEntry,
  IMMUTABLE_FILE_MODE,
  removeIfThere,
  removeTree,
  syncFolder,
  withoutOthersWriting,
} from "../core/files.ts";
import { hashFile } from "../core/hash.ts";
import { formatManifest } from "../release/format_manifest.ts";
import { createManifest, type Digest, type Manifest, releaseFile } from "../release/manifest.ts";
import { reportClutter } from "../release/clutter.ts";
import { scanFolder } from "../release/scan_folder.ts";
import { type IntentRun, writeIntent } from "./intent.ts";
import { inspectModelFolder, modelsLinkTarget } from "./model_folder.ts";
import { makeLink, readPointer, restorePointer, setPointers } from "./pointers.ts";
import { checkFiles } from "./release_files.ts";
import {
  findManifest,
  findRelease,
  findSignature,
  installRelease,
  releaseDir,
  writeManifest,
} from "./releases.ts";
import type { Staging } from "./staging.ts";
import { stampOf, StatCache } from "./stat_cache.ts";
import type { Store } from "./store.ts";

/**
 * Makes the real model folder the active release, so that a rollback can activate it again: moves the folder into the
 * store and puts a link in its place. Between these two renames there is no model folder, for some microseconds once in
 * the life of a store. After a crash in between, the next run finishes the adoption.
 */
export async function adoptByMove(context: Context, store: Store, run: IntentRun): Promise<Digest> {
  const { fs, modelsDir } = store;
  const manifest = await describeFolder(context, store);
  const { digest } = manifest;
  // If the store holds the same files already, the folder is only moved away.
  const isNew = !await holdsWhole(context, store, manifest);
  writeIntent(store, { ...run, phase: "adopting", digest, from: readPointer(store, "current") ?? null });
  setPointers(store, { current: digest }, "symlink");
  if (isNew) {
    await removeTree(fs, releaseDir(store, digest));
    if (findManifest(store, digest) === undefined) writeManifest(store, digest, formatManifest(manifest));
  }
  const away = isNew ? releaseDir(store, digest) : placeForDouble(store, run.runId);
  replaceByLink(store, () => fs.renameSync(modelsDir, away));
  if (away === asidePath(store, run.runId)) {
    context.log.warn(`${modelsDir} held files that are in no release: it is kept in ${away}`);
  }
  if (isNew) {
    makeReadOnly(store, manifest);
    rememberDigests(store, manifest);
  }
  writeIntent(store, { ...run, phase: "preparing" });
  return digest;
}

/** As {@link adoptByMove}, for a folder that cannot be moved: copies its files into the store. */
export async function adoptByCopy(context: Context, store: Store, staging: Staging): Promise<Digest> {
  const manifest = await describeFolder(context, store);
  const { digest } = manifest;
  if (!await holdsWhole(context, store, manifest)) {
    for (const file of manifest.files) {
      if (await staging.link(file.path, file.sha256)) continue;
      const source = await store.fs.open(join(store.modelsDir, file.path), { read: true });
      await staging.write(file.path, source.readable);
    }
    // The copies name the release: another process may have changed the files meanwhile.
    const copied = await createManifest(staging.files.map((file) => releaseFile(file.path, file)), manifest);
    const known = findManifest(store, copied.digest);
    const signature = known === undefined ? undefined : findSignature(store, copied.digest);
    await staging.sync();
    await removeTree(store.fs, releaseDir(store, copied.digest));
    installRelease(store, staging.dir, copied.digest, known?.text ?? formatManifest(copied), signature);
    rememberDigests(store, copied);
    setPointers(store, { current: copied.digest }, "mirror");
    return copied.digest;
  }
  setPointers(store, { current: digest }, "mirror");
  return digest;
}

/** Returns whether every file of a release in the store is intact. A damaged copy is replaced by the model folder. */
async function holdsWhole(context: Context, store: Store, manifest: Manifest): Promise<boolean> {
  const { digest } = manifest;
  if (findRelease(store, digest) === undefined) return false;
  const folder = { dir: releaseDir(store, digest), cache: StatCache.ofRelease(store, digest) };
  return (await checkFiles(context, folder, manifest, "stat")).length === 0;
}

/** Finishes or undoes an adoption after a crash. @returns whether the folder is adopted */
export function settleAdoption(
  store: Store,
  runId: string,
  digest: Digest,
  from: Digest | undefined,
): boolean {
  if (inspectModelFolder(store).kind === "folder") {
    restorePointer(store, "current", from, "symlink");
    removeIfThere(store.fs, linkPath(store));
    return false;
  }
  ensureModelsLink(store, runId);
  const release = findRelease(store, digest);
  if (release !== undefined) makeReadOnly(store, release.manifest);
  return true;
}

/** Scans a real model folder. @returns the refusal if a release cannot hold its files */
export function scanModels(
  { fs, modelsDir }: Pick<Store, "fs" | "modelsDir">,
): "models" | "no models" | RefusedError {
  try {
    return scanFolder(fs, modelsDir, "refuse").files.length > 0 ? "models" : "no models";
  } catch (error) {
    if (error instanceof RefusedError) return error;
    throw error;
  }
}

/**
 * Makes the model folder a link to the active release. An empty real folder is removed. A real folder without models
 * but with other files is kept beside it under another name.
 *
 * @returns that name
 */
export function ensureModelsLink(store: Store, runId: string): string | undefined {
  const folder = inspectModelFolder(store);
  if (folder.kind === "linked") return undefined;
  const aside = folder.kind === "folder" && !folder.isEmpty ? asidePath(store, runId) : undefined;
  replaceByLink(store, () => {
    if (aside !== undefined) store.fs.renameSync(store.modelsDir, aside);
    else if (folder.kind === "folder") store.fs.removeSync(store.modelsDir);
  });
  return aside;
}

/** Returns where to move a folder whose models the store holds already: kept if it holds other files, else removed. */
function placeForDouble(store: Store, runId: string): string {
  return scanFolder(store.fs, store.modelsDir, "refuse").clutter.length > 0
    ? asidePath(store, runId)
    : join(store.staging, `${runId}-adopted`);
}

function asidePath(store: Store, runId: string): string {
  return `${store.modelsDir}.before-${runId}`;
}

async function describeFolder(context: Context, store: Store): Promise<Manifest> {
  const files = [];
  const found = scanFolder(store.fs, store.modelsDir, "refuse");
  reportClutter(context.log, store.modelsDir, found.clutter);
  for (const file of found.files) {
    const digest = await hashFile(store.fs, file.location, { signal: context.signal });
    files.push(releaseFile(file.path, digest));
  }
  return await createManifest(files, {
    sequence: 0,
    createdAt: isoSeconds(context.clock.now()),
    origin: { carrier: "local", host: context.host },
  });
}

/** Creates the link first: once the folder is away, only the rename of the link is left to do. */
function replaceByLink(store: Store, makeWay: () => void): void {
  removeIfThere(store.fs, linkPath(store));
  makeLink(store, modelsLinkTarget(store), linkPath(store));
  try {
    makeWay();
    store.fs.renameSync(linkPath(store), store.modelsDir);
  } catch (error) {
    removeIfThere(store.fs, linkPath(store));
    throw error;
  }
  syncFolder(store.fs, dirname(store.modelsDir));
  syncFolder(store.fs, store.releases);
}

/** Beside the model folder: a rename cannot cross file systems, and the state directory may be on another one. */
function linkPath(store: Store): string {
  return `${store.modelsDir}.model-sync-link`;
}

const CHMOD_IMPOSSIBLE = ["EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP"];

function makeReadOnly(store: Store, manifest: Manifest): void {
  if (Deno.build.os === "windows") return;
  const release = releaseDir(store, manifest.digest);
  const folders = new Set(manifest.files.flatMap(({ path }) => foldersOf(path)));
  for (const { path } of manifest.files) changeMode(store, join(release, path), () => IMMUTABLE_FILE_MODE);
  // A user who can write a folder can replace the files in it.
  for (const path of folders) changeMode(store, join(release, path), withoutOthersWriting);
}

/** Returns the folders above a file, up to the release itself (`.`). */
function foldersOf(path: string): string[] {
  const folder = dirname(path);
  return folder === "." ? [folder] : [folder, ...foldersOf(folder)];
}

function changeMode({ fs }: Store, path: string, change: (mode: number) => number): void {
  const entry = findEntry(fs, path);
  const mode = (entry?.mode ?? 0) & 0o7777;
  // A missing file is for a pull to repair, which an error here would prevent.
  if (entry === undefined || change(mode) === mode) return;
  try {
    fs.chmodSync(path, change(mode));
  } catch (error) {
    // Another user owns the file. The mode only protects against mistakes, and the folder has moved already.
    if (!CHMOD_IMPOSSIBLE.includes(osErrorCode(error) ?? "")) throw error;
  }
}

function rememberDigests(store: Store, manifest: Manifest): void {
  const cache = StatCache.ofRelease(store, manifest.digest);
  for (const file of manifest.files) {
    const info = store.fs.lstatSync(join(releaseDir(store, manifest.digest), file.path));
    cache.rememberOwn(file.path, stampOf(info), file.sha256);
  }
  cache.save();
}
