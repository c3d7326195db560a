import { eachAtOnce, together } from "../core/concurrency.ts";
import type { Context } from "../core/context.ts";
import { STALL_MS } from "../http/download.ts";
import { type Pace, runPaced } from "../http/paced.ts";
import { downloadSmall, SMALL_FILE_BYTES_MAX } from "../http/download_small.ts";
import { repeatIfWrong } from "../http/repeat_wrong.ts";
import type { ReleaseFile } from "../release/manifest.ts";
import type { StagedFile, Staging } from "../store/staging.ts";
import { gitBlobIdOf } from "./git_blob_id.ts";
import type { HubFile } from "./hub.ts";
import { bringFile, type Bringing, nameOf, refuseOtherBlob } from "./hub_files.ts";
import { SharedProgress } from "./shared_progress.ts";

/** A content to download, and its paths in the release. */
export interface WantedContent {
  readonly file: HubFile;
  /** The manifest's entry. */
  readonly claimed: ReleaseFile | undefined;
  readonly paths: readonly [string, ...string[]];
}

/**
 * Small files mostly wait for the hub: over a line with 50 ms of round trip, 48 at once are about as many as two
 * processors handle, and fewer than the 100 streams that servers allow on a connection. They take at most 24 MiB of
 * memory. A hub that turns requests away gets fewer, but not fewer than for large files.
 */
const SMALL_FILES: Pace = {
  atOnceMax: 48,
  atOnceMin: 4,
  retries: { attemptsMax: 6, firstDelayMs: 500, delayMsMax: 30_000 },
};

/** Large files have several connections each. */
const LARGE_FILES_MAX = 4;

/**
 * Downloads contents of a commit into staging, small files beside large ones. The first failure stops the others.
 *
 * @throws {RefusedError} code `DIGEST_MISMATCH`; {@link DiskError}; what {@link bringFile} and {@link downloadSmall} throw
 */
export async function bringFiles(
  context: Context,
  bringing: Bringing,
  staging: Staging,
  wanted: readonly WantedContent[],
): Promise<void> {
  const bytes = wanted.reduce((sum, { file }) => sum + file.size, 0);
  await staging.requireSpace(bytes);
  using progress = new SharedProgress(context, "downloading", bytes);
  const { small = [], large = [] } = Object.groupBy(wanted, ({ file }) => sizeClass(bringing, file));
  const stageSmall = async ({ file, paths }: WantedContent, signal: AbortSignal) => {
    const content = await bringSmall({ ...context, signal }, bringing, file);
    await stageAll(staging, paths, (path) => staging.writeSmall(path, content));
    progress.report(file.path, file.size);
  };
  const stageLarge = async ({ file, paths, claimed }: WantedContent, signal: AbortSignal) => {
    const log = progress.logOf(file.path);
    const { location, digest } = await bringFile({ ...context, signal, log }, bringing, file, claimed);
    await stageAll(staging, paths, (path) => staging.take(path, location, digest));
  };
  await together(context.signal, [
    (signal) => runPaced({ ...context, signal }, small, SMALL_FILES, stageSmall),
    (signal) => eachAtOnce(signal, large, isLimited(bringing) ? 1 : LARGE_FILES_MAX, stageLarge),
  ]);
}

function sizeClass(bringing: Bringing, file: HubFile): "small" | "large" {
  const isInMemory = file.size <= SMALL_FILE_BYTES_MAX && !isLimited(bringing);
  return isInMemory && bringing.cache?.find(file) === undefined ? "small" : "large";
}

/** Whether a rate limit applies. It is per file, so it allows one file at a time. */
function isLimited({ limits }: Bringing): boolean {
  return limits.bytesPerSecondMax !== undefined;
}

/** Stages a content at its first path, and links its other paths to that file. */
async function stageAll(
  staging: Staging,
  [first, ...others]: WantedContent["paths"],
  stage: (path: string) => Promise<StagedFile>,
): Promise<void> {
  const staged = await stage(first);
  for (const path of others) await staging.linkStaged(path, staged);
}

/** Returns the bytes of a small file, verified as by {@link bringFile}. */
async function bringSmall(
  context: Context,
  { hub, commit, limits }: Bringing,
  file: HubFile,
): Promise<Uint8Array<ArrayBuffer>> {
  const { path, size: bytes, sha256 } = file;
  const what = nameOf(hub, file);
  return await repeatIfWrong(context, async () => {
    const content = await downloadSmall({ ...context, http: hub.context.http }, {
      what,
      locate: () => Promise.resolve(hub.locate(commit, path)),
      expected: { bytes, sha256 },
      limits: { stallMs: STALL_MS, ...limits, bytesMax: bytes },
    });
    if (sha256 === undefined) refuseOtherBlob(what, file, await gitBlobIdOf(content));
    return content;
  });
}
