import type { FileSystem } from "./files.ts";

/** Often enough that a final sync has little left to do, seldom enough that its metadata cost nothing. */
const FLUSH_EVERY_BYTES = 64 * 1024 * 1024;

/** Windows syncs only files that are open for writing. A pack is read-only from its beginning. */
const SYNC_OPTIONS: Deno.OpenOptions = Deno.build.os === "windows" ? { write: true } : { read: true };

/**
 * Flushes a growing file to the disk while it is still written. Without it, the system collects gigabytes in memory, and
 * the final sync waits for all of them. That sync is still needed.
 */
export class WriteBack implements AsyncDisposable {
  readonly #fs: FileSystem;
  readonly #path: string;
  #pendingBytes = 0;
  #flush: Promise<void> | undefined;
  /** The system reports each failure once, so the final sync may not see it. */
  #failure: { readonly error: unknown } | undefined;

  constructor(fs: FileSystem, path: string) {
    this.#fs = fs;
    this.#path = path;
  }

  /** Counts written bytes, and starts a flush if one is due. Throws what an earlier flush has thrown. */
  wrote(bytes: number): void {
    this.#throwFailure();
    this.#pendingBytes += bytes;
    if (this.#pendingBytes < FLUSH_EVERY_BYTES || this.#flush !== undefined) return;
    this.#pendingBytes = 0;
    this.#flush = this.#run()
      .catch((error) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#flush = undefined);
  }

  /** Waits for a running flush, and throws what a flush has thrown. Call it before the final sync. */
  async finish(): Promise<void> {
    await this.#flush;
    this.#throwFailure();
  }

  /** Waits for a running flush. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flush;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #run(): Promise<void> {
    // A handle of its own: operations on one handle wait for each other.
    using file = await this.#fs.open(this.#path, SYNC_OPTIONS);
    await file.syncData();
  }
}
