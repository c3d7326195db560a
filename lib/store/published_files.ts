import { join } from "node:path";
import * as z from "zod";
import { ifFound, removeFile } from "../core/files.ts";
import { listFolder } from "../core/folders.ts";
import { StateFile } from "../core/state_file.ts";
import { Digest, type ReleaseFile, totalBytes } from "../release/manifest.ts";
import type { Store } from "./store.ts";

/**
 * The file lists of the last releases that this machine published, for reports: the manifest itself is in the registry,
 * and the folder that it describes changes with the next training.
 */

/** The number of files that a report lists. */
export const KEPT_FILES_MAX = 2_000;

/** One publish a day while the dashboard is offline for a month, and some more. */
const LISTS_MAX = 40;

/** A typical list has 20 KiB. {@link LISTS_MAX} lists of large releases could have fifty times as much. */
const LISTS_BYTES_MAX = 16 * 1024 * 1024;

const PublishedFiles = z.object({
  digest: Digest,
  filesTotal: z.number(),
  bytes: z.number(),
  /** The first files, by name. */
  files: z.array(z.object({ path: z.string(), size: z.number(), sha256: z.string() })).max(KEPT_FILES_MAX),
});
/** The kept files of a published release. */
export type PublishedFiles = Readonly<z.infer<typeof PublishedFiles>>;

/** Returns the files of a release that this machine published; `undefined` if they are no longer kept. */
export function findPublishedFiles(store: Store, digest: Digest): PublishedFiles | undefined {
  const read = listFile(store, digest).read();
  return read.kind === "found" && read.value.digest === digest ? read.value : undefined;
}

/** Returns the digests of the releases whose files are kept, in no order. */
export function listPublishedFiles(store: Store): Digest[] {
  return (listFolder(store.fs, folderOf(store)) ?? []).flatMap(({ name }) => {
    const digest = Digest.safeParse(`sha256:${name.replace(/\.json$/, "")}`);
    return digest.success ? [digest.data] : [];
  });
}

/**
 * Keeps the files of a release that was just published, and drops the oldest lists beyond the bounds.
 *
 * @param files at least the first {@link KEPT_FILES_MAX}
 * @param totals those of all files
 */
export function keepPublishedFiles(
  store: Store,
  { digest, files }: { readonly digest: Digest; readonly files: readonly ReleaseFile[] },
  totals = { files: files.length, bytes: totalBytes(files) },
): void {
  const kept: PublishedFiles = {
    digest,
    filesTotal: totals.files,
    bytes: totals.bytes,
    files: files.slice(0, KEPT_FILES_MAX).map(({ path, size, sha256 }) => ({ path, size, sha256 })),
  };
  store.fs.mkdirSync(folderOf(store), { recursive: true });
  listFile(store, digest).replace(kept);
  dropOldest(store);
}

function dropOldest(store: Store): void {
  let bytes = 0;
  for (const [index, { path, size }] of newestFirst(store).entries()) {
    bytes += size;
    if (index >= LISTS_MAX || (bytes > LISTS_BYTES_MAX && index > 0)) removeFile(store.fs, path);
  }
}

function newestFirst(
  store: Store,
): { readonly path: string; readonly size: number; readonly atMs: number }[] {
  const { fs } = store;
  return (listFolder(fs, folderOf(store)) ?? []).flatMap(({ name }) => {
    const path = join(folderOf(store), name);
    const info = ifFound(() => fs.lstatSync(path));
    return info?.isFile === true ? [{ path, size: info.size, atMs: info.mtime?.getTime() ?? 0 }] : [];
  }).sort((one, other) => other.atMs - one.atMs);
}

function folderOf({ root }: Pick<Store, "root">): string {
  return join(root, "published_files");
}

function listFile(store: Store, digest: Digest): StateFile<PublishedFiles> {
  const path = join(folderOf(store), `${digest.slice("sha256:".length)}.json`);
  // After a power cut, the report of a release may lack its files.
  return new StateFile<PublishedFiles>(store.fs, path, PublishedFiles, { isUnsynced: true });
}
