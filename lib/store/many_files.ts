import { join } from "node:path";
import type { Context } from "../core/context.ts";
import type { FileSystem } from "../core/files.ts";
import type { FileDigest } from "../core/hash.ts";
import type { BulkWriter } from "./bulk_writer.ts";
import { createSmallFile, type SmallFile, writtenFile } from "./small_file.ts";
import type { StagedFile } from "./staged_file.ts";

/** Fewer files are written in the time in which a second process starts. */
export const BULK_FILES_MIN = 256;

/** Writes small files of a release: if they are many, in a second process. */
export class ManyFiles implements AsyncDisposable {
  readonly #context: Pick<Context, "spawn" | "signal" | "log">;
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #sent = new Map<string, FileDigest>();
  #count = 0;
  #writer: BulkWriter | undefined;

  /** @param dir the release's folder, which exists */
  constructor(context: Pick<Context, "spawn" | "signal" | "log">, fs: FileSystem, dir: string) {
    this.#context = context;
    this.#fs = fs;
    this.#dir = dir;
  }

  /**
   * Writes a file. Not for concurrent calls.
   *
   * @param target where it goes: there is no file yet, and the folder above it exists
   * @returns `undefined` if the second process writes it until {@link arrive}
   * @throws {DiskError}; {@link FailedError} code `TAR_FAILED`
   */
  async write(target: string, content: Uint8Array, file: SmallFile): Promise<StagedFile | undefined> {
    if (++this.#count === BULK_FILES_MIN && Deno.build.os === "linux") {
      const { BulkWriter } = await import("./bulk_writer.ts");
      this.#writer = await BulkWriter.open(this.#context, this.#fs, this.#dir);
    }
    const { path, sha256 } = file;
    if (await this.#writer?.add(path, content) !== true) {
      return createSmallFile(this.#fs, target, content, file);
    }
    this.#sent.set(path, { bytes: content.length, sha256 });
    return undefined;
  }

  /** The files that the second process has and may not have written. */
  get sent(): ReadonlyMap<string, FileDigest> {
    return this.#sent;
  }

  /** Waits until all files are written, then yields and forgets each. @throws as {@link write} */
  async *arrive(): AsyncGenerator<StagedFile> {
    await this.#writer?.finish();
    this.#writer = undefined;
    for (const [path, { bytes, sha256 }] of this.#sent) {
      yield writtenFile(this.#fs, join(this.#dir, path), bytes, { path, sha256 });
      this.#sent.delete(path);
    }
  }

  /** Stops the second process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer?.[Symbol.asyncDispose]();
  }
}
