import { contentCrc } from "../archive/content_crc.ts";
import type { PackedContent } from "../archive/types.ts";
import type { Context } from "../core/context.ts";
import { DiskError, ModelSyncError, TransientError } from "../core/errors.ts";
import { formatBytes } from "../core/format.ts";
import { isChunked } from "../core/hash.ts";
import { download } from "../http/download.ts";
import { removePartial } from "../http/partial_file.ts";
import { PartsUnavailable, type RemotePartsRequest } from "../http/remote_parts.ts";
import { SharedAddress } from "../http/shared_address.ts";
import { type ReleaseFile, totalBytes } from "../release/manifest.ts";
import { HeldChunks } from "../store/held_chunks.ts";
import { partialPath } from "../store/partials.ts";
import { listReleases } from "../store/releases.ts";
import { requireSpace } from "../store/require_space.ts";
import type { Staging } from "../store/staging.ts";
import type { Store } from "../store/store.ts";
import { ArchivedModels, type ArchivedModelsOptions, type ClaimedFile } from "./archived_models.ts";
import { RemoteArchive } from "./remote_archive.ts";

/** A smaller archive takes a second or two, and parts of it take a round trip each. */
const ARCHIVE_BYTES_MIN = 16 * 1024 * 1024;

/** If more of the archive has to be extracted, it is downloaded as a whole, which takes fewer requests. */
const EXTRACTED_SHARE_MAX = 0.5;

/** How to read an archive on its server, and where the parts go. */
interface Access {
  readonly context: Context;
  readonly store: Store;
  readonly request: RemotePartsRequest;
  readonly address: SharedAddress;
}

/**
 * The models of an archive that stays on its server: the manifest, the headers and the changed files are downloaded, and
 * of a large file only the parts that the store does not hold.
 */
export class RemoteModels implements AsyncDisposable {
  readonly models: ArchivedModels;
  readonly #access: Access;
  readonly #archive: RemoteArchive;
  #storedBytes = 0;

  private constructor(access: Access, archive: RemoteArchive, models: ArchivedModels) {
    this.#access = access;
    this.#archive = archive;
    this.models = models;
  }

  /**
   * Opens an archive on its server; `undefined` if it has to be downloaded as a whole, for example because it has no
   * manifest, or the store holds no large release.
   */
  static async open(
    context: Context,
    store: Store,
    request: RemotePartsRequest,
    options: ArchivedModelsOptions,
  ): Promise<RemoteModels | undefined> {
    const isLarge = listReleases(store).some(({ manifest }) =>
      totalBytes(manifest.files) >= ARCHIVE_BYTES_MIN
    );
    if (!isLarge) return undefined;
    const address = new SharedAddress(request.locate);
    return await orWhole(context, async () => {
      await using resources = new AsyncDisposableStack();
      const onParts = (bytes: number) => requireSpace(context, store.partials, bytes);
      const parts = { ...request, locate: address.forDownload(), onParts };
      const contents = resources.use(
        await RemoteArchive.open(context, parts, options.limits, ARCHIVE_BYTES_MIN),
      );
      const models = await ArchivedModels.open(context, [{ contents, name: request.what }], options);
      if (models.claim === undefined) throw new PartsUnavailable(`${request.what} has no manifest`);
      resources.move();
      return new RemoteModels({ context, store, request, address }, contents, models);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.models[Symbol.asyncDispose]();
  }

  /**
   * Stages the models. A file that the store holds is linked if size and CRC-32 show that the archive has the same.
   *
   * @returns whether all files are staged; otherwise the archive has to be downloaded as a whole for the others
   * @throws {TransientError} if the download of a large file broke off, and {@link UnreachableError} with code `TIMEOUT`
   * if it took too long; the next pull continues it
   */
  async stage(staging: Staging): Promise<boolean> {
    const { context, request } = this.#access;
    const missing = await orWhole(context, () => this.#linkHeld(staging));
    if (missing === undefined || !await this.#download(staging, missing.stored)) return false;
    if (await orWhole(context, () => this.#extract(staging, missing.packed)) === undefined) return false;
    const downloaded = formatBytes(this.#archive.fetchedBytes + this.#storedBytes);
    context.log.info(
      `downloaded ${downloaded} of the ${formatBytes(this.#archive.bytes)} of ${request.what}`,
    );
    return true;
  }

  /** Links the files that the store holds, and returns the others. */
  async #linkHeld(staging: Staging): Promise<Missing> {
    const missing: ClaimedFile[] = [];
    for (const file of this.models.files) {
      if (!await this.#link(staging, file)) missing.push(file);
    }
    const packed = missing.filter((file) => !isLargeStored(file));
    if (packedBytes(packed) > EXTRACTED_SHARE_MAX * this.#archive.bytes) {
      const { what } = this.#access.request;
      throw new PartsUnavailable(`${formatBytes(packedBytes(packed))} of ${what} have to be extracted`);
    }
    return { stored: missing.filter(isLargeStored), packed };
  }

  async #link(staging: Staging, { path, entry, claimed }: ClaimedFile): Promise<boolean> {
    if (claimed?.size !== entry.bytes || entry.packed === undefined) return false;
    const held = await staging.findHeld(claimed.sha256);
    // A manifest may be outdated: another program may have replaced the file in the archive.
    if (held === undefined || !await this.#isArchived(held, entry.packed)) return false;
    return await staging.link(path, claimed.sha256);
  }

  /** Downloads large stored files, without the parts that the store holds. @returns whether that succeeded */
  async #download(staging: Staging, files: readonly LargeStored[]): Promise<boolean> {
    const { context, store } = this.#access;
    const held = new HeldChunks(context, store);
    for (const file of files) {
      const location = await partialPath(store, `archived ${file.claimed.sha256}`);
      try {
        await this.#downloadStored(staging, file, location, held);
      } catch (error) {
        // After a broken connection or a timeout, the next pull continues. A whole archive would start from zero.
        if (error instanceof TransientError || !mayTryWhole(context, error)) throw error;
        removePartial(context.fs, location);
        return false;
      }
    }
    return true;
  }

  async #downloadStored(
    staging: Staging,
    { path, entry: { packed }, claimed }: LargeStored,
    location: string,
    held: HeldChunks,
  ): Promise<void> {
    const { context, store, request, address } = this.#access;
    const { size: bytes, sha256, contentChunks } = claimed;
    const { resumedBytes, copiedBytes } = await download(context, {
      what: `${path} of ${request.what}`,
      locate: address.forDownload(),
      expected: { bytes, sha256, contentChunks },
      within: { offset: packed.offset, bytes: this.#archive.bytes },
      findHeld: () => held.spansOf(claimed),
      limits: request.limits,
      path: location,
      onSize: (size) => requireSpace(context, store.partials, size),
    });
    this.#storedBytes += bytes - resumedBytes - copiedBytes;
    // The manifest may be outdated here, too, and copied parts would hide that.
    if (!await this.#isArchived(location, packed)) {
      throw new PartsUnavailable(`the manifest of ${request.what} does not describe ${path}`);
    }
    await staging.take(path, location, { bytes, sha256 });
  }

  /** Extracts the files that are not staged yet. */
  async #extract(staging: Staging, files: readonly ClaimedFile[]): Promise<true> {
    await staging.requireSpace(packedBytes(files));
    await this.#archive.fetch(files.map(({ entry }) => entry));
    await this.models.stage(staging);
    return true;
  }

  /** Whether a file has the CRC-32 that the archive states. */
  async #isArchived(location: string, { crc }: PackedContent): Promise<boolean> {
    const { fs, signal } = this.#access.context;
    return await contentCrc(fs, location, signal) === crc;
  }
}

/** The files that the store does not hold. */
interface Missing {
  readonly stored: readonly LargeStored[];
  /** Compressed or small: they are extracted. */
  readonly packed: readonly ClaimedFile[];
}

function packedBytes(files: readonly ClaimedFile[]): number {
  return files.reduce((sum, { entry }) => sum + (entry.packed?.bytes ?? 0), 0);
}

/** A file that is not compressed in its archive, and large enough for a download of its own. */
interface LargeStored extends ClaimedFile {
  readonly claimed: ReleaseFile;
  readonly entry: ClaimedFile["entry"] & { readonly packed: PackedContent };
}

function isLargeStored(file: ClaimedFile): file is LargeStored {
  const { claimed, entry: { packed, bytes } } = file;
  return claimed?.size === bytes && packed?.isCompressed === false && isChunked(bytes);
}

/** Returns the result of work on parts of an archive; `undefined` if the whole archive may be downloaded instead. */
async function orWhole<Result>(context: Context, work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (mayTryWhole(context, error)) return undefined;
    throw error;
  }
}

/**
 * Whether the whole archive may be downloaded after this failure, which is logged then. That download also decides about
 * an archive that is refused.
 */
function mayTryWhole({ log, signal }: Context, error: unknown): boolean {
  if (signal.aborted || !(error instanceof ModelSyncError) || error instanceof DiskError) return false;
  // The whole archive would take longer still.
  if (error.code === "TIMEOUT") return false;
  log.debug(`${error.message}; downloading the whole archive`);
  return true;
}
