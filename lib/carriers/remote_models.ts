import { contentCrc } from "../archive/content_crc.ts";
import type { Context } from "../core/context.ts";
import { DiskError, ModelSyncError } from "../core/errors.ts";
import { formatBytes } from "../core/format.ts";
import { PartsUnavailable, type RemotePartsRequest } from "../http/remote_parts.ts";
import { totalBytes } from "../release/manifest.ts";
import { listReleases } from "../store/releases.ts";
import type { Staging } from "../store/staging.ts";
import type { Store } from "../store/store.ts";
import { ArchivedModels, type ArchivedModelsOptions, type ClaimedFile } from "./archived_models.ts";
import { RemoteArchive } from "./remote_archive.ts";

/** A smaller archive takes a second or two, and parts of it take a round trip each. */
const ARCHIVE_BYTES_MIN = 16 * 1024 * 1024;

/** If more of the archive is needed, it is downloaded as a whole, over all connections and in one request each. */
const SHARE_MAX = 0.5;

/**
 * The models of an archive that stays on its server: only the manifest, the headers and the changed files are downloaded.
 */
export class RemoteModels implements AsyncDisposable {
  readonly models: ArchivedModels;
  readonly #context: Context;
  readonly #archive: RemoteArchive;
  readonly #name: string;

  private constructor(context: Context, archive: RemoteArchive, models: ArchivedModels, name: string) {
    this.#context = context;
    this.#archive = archive;
    this.models = models;
    this.#name = name;
  }

  /**
   * Opens an archive on its server; `undefined` if it has to be downloaded as a whole, for example because it has no
   * manifest, or the store holds no release whose files it could have.
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
    return await orWhole(context, async () => {
      await using resources = new AsyncDisposableStack();
      const contents = resources.use(
        await RemoteArchive.open(context, request, options.limits, ARCHIVE_BYTES_MIN),
      );
      const models = await ArchivedModels.open(context, [{ contents, name: request.what }], options);
      if (models.claim === undefined) throw new PartsUnavailable(`${request.what} has no manifest`);
      resources.move();
      return new RemoteModels(context, contents, models, request.what);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.models[Symbol.asyncDispose]();
  }

  /**
   * Stages the models. A file that the store holds is linked if size and CRC-32 show that the archive has the same.
   *
   * @returns whether all files are staged; otherwise the archive has to be downloaded as a whole for the others
   */
  async stage(staging: Staging): Promise<boolean> {
    const isStaged = await orWhole(this.#context, async () => {
      const missing = await this.#linkHeld(staging);
      const bytes = missing.reduce((sum, { entry }) => sum + (entry.packed?.bytes ?? 0), 0);
      if (bytes > SHARE_MAX * this.#archive.bytes) {
        throw new PartsUnavailable(`${formatBytes(bytes)} of ${this.#name} have changed`);
      }
      await staging.requireSpace(bytes);
      await this.#archive.fetch(missing.map(({ entry }) => entry));
      await this.models.stage(staging);
      return true;
    });
    if (isStaged !== true) return false;
    const { bytes, fetchedBytes } = this.#archive;
    this.#context.log.info(
      `downloaded ${formatBytes(fetchedBytes)} of the ${formatBytes(bytes)} of ${this.#name}`,
    );
    return true;
  }

  /** Links the files that the store holds, and returns the others. */
  async #linkHeld(staging: Staging): Promise<ClaimedFile[]> {
    const missing: ClaimedFile[] = [];
    for (const file of this.models.files) {
      if (!await this.#link(staging, file)) missing.push(file);
    }
    return missing;
  }

  async #link(staging: Staging, { path, entry, claimed }: ClaimedFile): Promise<boolean> {
    if (claimed?.size !== entry.bytes || entry.packed === undefined) return false;
    const held = await staging.findHeld(claimed.sha256);
    // A manifest may be outdated: another program may have replaced the file in the archive.
    if (held === undefined || await this.#crcOf(held) !== entry.packed.crc) return false;
    return await staging.link(path, claimed.sha256);
  }

  async #crcOf(location: string): Promise<number> {
    return await contentCrc(this.#context.fs, location, this.#context.signal);
  }
}

/**
 * Returns the result of work on parts of an archive; `undefined` if it failed and the whole archive may be downloaded
 * instead. That download also decides about an archive that is refused.
 */
async function orWhole<Result>(
  { log, signal }: Pick<Context, "log" | "signal">,
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted || !(error instanceof ModelSyncError) || error instanceof DiskError) throw error;
    log.debug(`${error.message}; downloading the whole archive`);
    return undefined;
  }
}
