import type { Context } from "../core/context.ts";
import { DiskError, ModelSyncError, RefusedError, TransientError } from "../core/errors.ts";
import type { RetryPolicy } from "../core/retry.ts";
import type { Sha256 } from "../core/hash.ts";
import { LfsServer } from "../git/lfs_server.ts";
import type { Registry } from "../git/registry.ts";
import { download, STALL_MS } from "../http/download.ts";
import type { HeldSpan } from "../http/download_types.ts";
import { removePartial } from "../http/partial_file.ts";
import type { LfsPointer } from "../release/lfs_pointer.ts";
import type { ReleaseFile } from "../release/manifest.ts";
import { HeldChunks } from "../store/held_chunks.ts";
import { partialPath } from "../store/partials.ts";
import { requireSpace } from "../store/require_space.ts";
import type { Staging } from "../store/staging.ts";
import type { Store } from "../store/store.ts";

/** Gives up soon: git-lfs may reach the server through a proxy that only git knows, and has retries of its own. */
const RETRIES: RetryPolicy = { attemptsMax: 3, firstDelayMs: 500, delayMsMax: 5_000, retryAfterMsMax: 5_000 };

/**
 * Downloads of Git LFS objects of which the store holds parts: the parts are copied, and only the others are requested.
 * git-lfs itself downloads whole objects, and stores them a second time.
 */
export class LfsParts {
  readonly #context: Context;
  readonly #registry: Registry;
  readonly #store: Store;
  readonly #held: HeldChunks;
  #server: Promise<LfsServer> | undefined;
  /** After a download that the network prevented. Each further one would wait for the same timeouts. */
  #isUnreachable = false;
  /** The end of the last download: each uses several connections. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(context: Context, registry: Registry, store: Store) {
    this.#context = context;
    this.#registry = registry;
    this.#store = store;
    this.#held = new HeldChunks(context, store);
  }

  /**
   * Stages a file in Git LFS, if the store holds parts of it.
   *
   * @param file its entry in the manifest, which lists its chunks
   * @returns whether it is staged; otherwise git-lfs has to download it
   * @throws {RefusedError} code `DIGEST_MISMATCH`; {@link DiskError}
   */
  async stage(staging: Staging, file: ReleaseFile, pointer: LfsPointer): Promise<boolean> {
    const { sha256, size } = file;
    const isKnown = sha256 === pointer.sha256 && size === pointer.bytes && file.contentChunks !== undefined;
    if (!isKnown || this.#registry.remoteUrl.isLocal) return false;
    const spans = await this.#held.spansOf(file);
    if (spans.length === 0) return false;
    const staged = this.#last.then(() => this.#stage(staging, file, pointer, spans));
    this.#last = staged.catch(() => {});
    return await staged;
  }

  /** Removes the partial download of an object that git-lfs has downloaded. */
  async forget({ sha256 }: LfsPointer): Promise<void> {
    removePartial(this.#context.fs, await this.#partialPath(sha256));
  }

  #partialPath(sha256: Sha256): Promise<string> {
    return partialPath(this.#store, `git-lfs ${sha256}`);
  }

  /** Whether git-lfs can store the object beside the partial download: it stores a copy of its own. */
  async #hasSpaceForGitLfs({ bytes }: LfsPointer): Promise<boolean> {
    try {
      await requireSpace(this.#context, this.#store.partials, bytes * 2);
      return true;
    } catch (error) {
      if (error instanceof DiskError) return false;
      throw error;
    }
  }

  async #stage(
    staging: Staging,
    file: ReleaseFile,
    pointer: LfsPointer,
    spans: readonly HeldSpan[],
  ): Promise<boolean> {
    if (this.#isUnreachable) return false;
    const { log, signal, fs } = this.#context;
    const path = await this.#partialPath(pointer.sha256);
    try {
      const server = await (this.#server ??= LfsServer.open(this.#context, this.#registry));
      const { bytes, sha256 } = await this.#download(server, file, path, spans);
      await staging.take(file.path, path, { bytes, sha256 });
      return true;
    } catch (error) {
      const isOurs = error instanceof DiskError ||
        error instanceof RefusedError && error.code === "DIGEST_MISMATCH";
      // The process may have given up the network.
      const isKnown = error instanceof ModelSyncError || error instanceof Deno.errors.NotCapable;
      if (isOurs || !isKnown || signal.aborted) throw error;
      log.debug(`${error.message}; git-lfs downloads ${file.path}`);
      const isNetwork = isOfNetwork(error);
      this.#isUnreachable ||= isNetwork;
      // If git-lfs fails, too, the next pull continues the partial download.
      if (!isNetwork || !await this.#hasSpaceForGitLfs(pointer)) removePartial(fs, path);
      return false;
    }
  }

  async #download(server: LfsServer, file: ReleaseFile, path: string, spans: readonly HeldSpan[]) {
    const { size: bytes, sha256, contentChunks } = file;
    return await download(this.#context, {
      what: `${file.path} from Git LFS`,
      locate: () => server.locate({ bytes, sha256 }),
      expected: { bytes, sha256, contentChunks },
      findHeld: () => Promise.resolve(spans),
      limits: { stallMs: STALL_MS, totalMs: this.#registry.settings.transferTimeoutMs, bytesMax: bytes },
      path,
      retries: RETRIES,
      onSize: (size) => requireSpace(this.#context, this.#store.partials, size),
    });
  }
}

function isOfNetwork(error: unknown): boolean {
  return error instanceof TransientError || error instanceof ModelSyncError && error.code === "TIMEOUT";
}
