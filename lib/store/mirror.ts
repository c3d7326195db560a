import { dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { diskError, RefusedError } from "../core/errors.ts";
import { findEntry, makeWay, removeFile, removeTree, syncFolder } from "../core/files.ts";
import { copyAndHash } from "../core/hash.ts";
import type { Digest, Manifest, ReleaseFile } from "../release/manifest.ts";
import { checkFile } from "./release_files.ts";
import { findRelease, releaseDir } from "./releases.ts";
import { StatCache } from "./stat_cache.ts";
import type { Store } from "./store.ts";

/** Copies are made here, inside the model folder because that is the one place sure to be on its file system. */
export const MIRROR_SCRATCH_NAME = ".model-sync.part";

/**
 * Makes a real model folder hold the files of release `to`: each file copied, checked and renamed into place, then the
 * files of release `from` that are gone removed. Readers may see files of both meanwhile. Doing it again after a crash
 * at any point ends the same; files that belong to neither release are left alone.
 */
export async function mirrorRelease(
  context: Context,
  store: Store,
  from: Digest | undefined,
  to: Digest,
): Promise<void> {
  const target = manifestOf(store, to);
  const { fs, modelsDir } = store;
  const scratch = join(modelsDir, MIRROR_SCRATCH_NAME);
  const cache = StatCache.ofModels(store);
  try {
    await removeTree(fs, scratch);
    fs.mkdirSync(scratch, { recursive: true });
    const changedFolders = new Set<string>();
    for (const [index, file] of target.files.entries()) {
      if (await checkFile(context, { dir: modelsDir, cache }, file, "stat") === undefined) continue;
      const info = await placeCopy(context, store, to, file, join(scratch, String(index)));
      cache.rememberOwn(file.path, info, file.sha256);
      changedFolders.add(dirname(join(modelsDir, file.path)));
    }
    const gone = from === undefined ? [] : goneFiles(manifestOf(store, from), target);
    for (const path of gone) {
      removeFile(fs, join(modelsDir, path));
      cache.forget(path);
      changedFolders.add(dirname(join(modelsDir, path)));
    }
    await removeTree(fs, scratch);
    for (const folder of changedFolders) {
      removeEmptyFolders(store, folder);
      if (isFolder(store, folder)) syncFolder(fs, folder);
    }
    syncFolder(fs, modelsDir);
    cache.save();
  } catch (error) {
    throw diskError(error, `mirror release files into ${modelsDir}`);
  }
}

async function placeCopy(
  context: Context,
  store: Store,
  release: Digest,
  file: ReleaseFile,
  temporary: string,
): Promise<Deno.FileInfo> {
  const { fs, modelsDir } = store;
  const target = join(modelsDir, file.path);
  const copy = await copyAndHash(fs, join(releaseDir(store, release), file.path), temporary, {
    signal: context.signal,
  });
  if (copy.sha256 !== file.sha256) {
    throw new RefusedError(
      `Cannot mirror ${file.path}: the store's copy has SHA-256 ${copy.sha256}, manifest says ${file.sha256}`,
      { code: "RELEASE_DAMAGED", hint: "pull again to mend the store" },
    );
  }
  using written = fs.openSync(temporary, { read: true, write: true });
  written.syncSync();
  makeWay(fs, modelsDir, target);
  fs.renameSync(temporary, target);
  return fs.lstatSync(target);
}

function goneFiles(from: Manifest, to: Manifest): string[] {
  const kept = new Set(to.files.map((file) => file.path));
  return from.files.map((file) => file.path).filter((path) => !kept.has(path));
}

/** Removes a folder that became empty, and its parents that did, up to the model folder. */
function removeEmptyFolders(store: Store, folder: string): void {
  const { fs, modelsDir } = store;
  for (let current = folder; current !== modelsDir; current = dirname(current)) {
    if (!isFolder(store, current)) continue;
    if (Array.from(fs.readDirSync(current)).length > 0) return;
    fs.removeSync(current);
  }
}

/** Still one: it may be gone, or a file may have taken its place. */
function isFolder(store: Store, path: string): boolean {
  return findEntry(store.fs, path)?.isDirectory === true;
}

function manifestOf(store: Store, digest: Digest): Manifest {
  const release = findRelease(store, digest);
  if (release === undefined) {
    throw new RefusedError(`Cannot mirror release ${digest}: the store does not hold it whole`, {
      code: "RELEASE_MISSING",
      hint: "pull again",
    });
  }
  return release.manifest;
}
