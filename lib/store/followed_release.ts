import { join } from "node:path";
import { settleAll } from "../core/concurrency.ts";
import { ifDiskTakes, ignoreDiskError } from "../core/errors.ts";
import { findBytes, UnusableFileError } from "../core/files.ts";
import { type Sha256, sha256Hex, sha256OfBytes } from "../core/hash.ts";
import { replaceUnsynced } from "../core/replace_file.ts";
import { clearWay } from "../core/set_aside.ts";
import { filesOf } from "../release/file_list.ts";
import type { FollowingManifest, KnownManifest } from "../release/follow_manifest.ts";
import { type Digest, MANIFEST_BYTES_MAX } from "../release/manifest.ts";
import type { ListTotals } from "../release/plain_list.ts";
import { SortedLines } from "../release/sorted_lines.ts";
import { findRelease, manifestPath } from "./releases.ts";
import type { Store } from "./store.ts";

/**
 * What the next pull need not compute: a line with the number of files, the sum of their sizes and a checksum of both and
 * of the manifest, and the lines of the digest.
 */
function pathOf({ statCache }: Store): string {
  return join(statCache, "followed.txt");
}

/**
 * Returns the manifest of a release, which a manifest with most of its lines may follow; `undefined` as `findRelease`. What
 * was remembered counts only if its checksums are those of the manifest and of the release: a damaged file, or one of another
 * release, costs time.
 */
export async function findFollowed(store: Store, digest: Digest): Promise<KnownManifest | undefined> {
  const bytes = read(store, manifestPath(store, digest));
  if (bytes === undefined) return undefined;
  const remembered = await findRemembered(store, digest, bytes);
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const release = findRelease(store, digest, { text, totals: remembered?.totals });
  return release && { manifest: release.manifest, lines: remembered?.lines };
}

const LINE_BREAK = 10;

async function findRemembered(
  store: Store,
  digest: Digest,
  manifest: Uint8Array<ArrayBuffer>,
): Promise<{ readonly totals: ListTotals; readonly lines: SortedLines } | undefined> {
  const remembered = read(store, pathOf(store));
  const end = remembered?.indexOf(LINE_BREAK) ?? -1;
  if (remembered === undefined || end === -1) return undefined;
  const head = new TextDecoder().decode(remembered.subarray(0, end));
  const [count = NaN, bytes = NaN] = head.split(" ").map(Number);
  const totals = { count, bytes };
  const [sha256, lines] = await settleAll([
    sha256OfBytes(manifest),
    SortedLines.read(remembered.subarray(end + 1), digest),
  ]);
  return lines !== undefined && head === await headOf(totals, sha256) ? { totals, lines } : undefined;
}

function read(store: Store, path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return findBytes(store.fs, path, MANIFEST_BYTES_MAX);
  } catch (error) {
    if (!(error instanceof UnusableFileError)) ignoreDiskError(error);
    return undefined;
  }
}

async function headOf({ count, bytes }: ListTotals, sha256: Sha256): Promise<string> {
  const totals = `${count} ${bytes}`;
  return `${totals} ${await sha256Hex(`${totals} ${sha256}`)}`;
}

/** Remembers the active release, instead of the one before it. Ignores a failure of the disk: it costs time. */
export async function rememberFollowed(
  store: Store,
  { manifest, sha256, lines }: FollowingManifest,
): Promise<void> {
  const head = await headOf(filesOf(manifest), sha256);
  ifDiskTakes(() => {
    clearWay(store.fs, pathOf(store));
    replaceUnsynced(store.fs, pathOf(store), [new TextEncoder().encode(`${head}\n`), lines]);
  });
}
