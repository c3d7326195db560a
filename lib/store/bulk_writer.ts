import { join } from "node:path";
import { TAR_BLOCK_BYTES } from "../archive/tar_header.ts";
import { TarHeaderWriter } from "../archive/write_tar_header.ts";
import type { Context } from "../core/context.ts";
import { DiskError, diskError, FailedError, messageOf, ModelSyncError, osErrorCode } from "../core/errors.ts";
import { type FileSystem, findText, IMMUTABLE_FILE_MODE } from "../core/files.ts";
import { HandedPieces } from "../core/handed_pieces.ts";
import { type ProcessExit, type ProcessRequest, runProcess } from "../core/subprocess.ts";

/** Four pipes full. Larger pieces do not save time. */
const PIECE_BYTES = 256 * 1024;

/** Two empty blocks end a tar. */
const ZEROS = new Uint8Array(2 * TAR_BLOCK_BYTES);

/** It prints its version, and writes one file, in milliseconds. */
const TRIAL_TIMEOUT_MS = 10_000;

const TRIAL_TEXT = "GNU tar may write here";

/** It waits for the carrier, whose own limits end a transfer sooner. */
const WRITE_TIMEOUT_MS = 7 * 24 * 60 * 60_000;

/** Its messages are parsed, and a user's options must not change what it does. */
const ENV = { LC_ALL: "C", LANGUAGE: "", TAR_OPTIONS: "" };

/** The beginning of tar's own lines. Others are the system's, about a library that it cannot load, for example. */
const SAID_BY_TAR = /^(?:\S*\/)?tar: /m;

/** The system's words in tar's messages, and their error names. */
const FAULTS = [
  ["No space left on device", "ENOSPC"],
  ["Disk quota exceeded", "EDQUOT"],
  ["Read-only file system", "EROFS"],
  ["Input/output error", "EIO"],
  ["File too large", "EFBIG"],
  // Tar gives no reason for a write that ends early. A full disk takes the beginning of a file.
  ["Wrote only", "ENOSPC"],
] as const;

/**
 * Writes many small files in a second process: GNU tar, which gets exactly the bytes that this process has hashed. It
 * takes three system calls a file. The runtime takes twenty, because it resolves the path once more for each permission.
 */
export class BulkWriter implements AsyncDisposable {
  readonly #headers = new TarHeaderWriter(IMMUTABLE_FILE_MODE);
  readonly #pieces = new HandedPieces();
  readonly #stop = new AbortController();
  readonly #exit: Promise<ProcessExit>;
  #buffer = new Uint8Array(PIECE_BYTES);
  #spare = new Uint8Array(PIECE_BYTES);
  #filled = 0;
  /** Resolves when tar has read the spare buffer. */
  #read: Promise<void> = Promise.resolve();
  #hasComplained = false;

  private constructor(
    { spawn, signal }: Pick<Context, "spawn" | "signal">,
    dir: string,
    timeoutMs = WRITE_TIMEOUT_MS,
  ) {
    this.#exit = runProcess(spawn, {
      command: "tar",
      args: [
        "--extract",
        "--file=-",
        `--directory=${dir}`,
        "--blocking-factor=128",
        // A file that is there already is an error.
        "--keep-old-files",
        // The time of writing, this user's files, and the mode of the header whatever the umask.
        "--touch",
        "--no-same-owner",
        "--same-permissions",
        "--warning=none",
      ],
      title: "tar",
      env: ENV,
      stdin: this.#pieces,
      timeoutMs,
      signal: AbortSignal.any([signal, this.#stop.signal]),
      onStderr: (text) => void (this.#hasComplained ||= SAID_BY_TAR.test(text)),
    });
    this.#exit.catch(() => {}).finally(() => this.#pieces.close());
  }

  /**
   * Returns a writer; `undefined` where GNU tar is not installed, or does not work. It writes one file for that beside the
   * folder.
   *
   * @param dir an existing folder
   * @throws {DiskError}
   */
  static async open(
    context: Pick<Context, "spawn" | "signal" | "log">,
    fs: FileSystem,
    dir: string,
  ): Promise<BulkWriter | undefined> {
    if (!await hasGnuTar(context)) return undefined;
    const problem = await BulkWriter.#tryTar(context, fs, `${dir}.trial`);
    if (problem === undefined) return new BulkWriter(context, dir);
    context.log.warn(`tar is installed, but does not work: ${problem}. Files are written without it`);
    return undefined;
  }

  /** Returns why tar cannot write a file: a security module does not allow it, for example. */
  static async #tryTar(
    context: Pick<Context, "spawn" | "signal">,
    fs: FileSystem,
    dir: string,
  ): Promise<string | undefined> {
    try {
      fs.mkdirSync(dir);
      await using writer = new BulkWriter(context, dir, TRIAL_TIMEOUT_MS);
      await writer.add("trial", new TextEncoder().encode(TRIAL_TEXT));
      await writer.finish();
      return findText(fs, join(dir, "trial")) === TRIAL_TEXT ? undefined : "its file is missing or wrong";
    } catch (error) {
      context.signal.throwIfAborted();
      if (error instanceof DiskError) throw error;
      if (error instanceof ModelSyncError) {
        return error.cause instanceof TarError ? error.cause.message : error.message;
      }
      throw diskError(error, `create ${dir}`);
    }
  }

  /**
   * Writes a file that does not exist, with the mode of immutable files. It is complete after {@link finish}. Not for
   * concurrent calls.
   *
   * @param path relative to the folder. The folder above the file exists
   * @returns whether it will be written: not if its path is too long for a tar
   * @throws {DiskError}; {@link FailedError} code `TAR_FAILED`
   */
  async add(path: string, content: Uint8Array): Promise<boolean> {
    const header = this.#headers.header(path, content.length);
    if (header === undefined) return false;
    await this.#append(header);
    await this.#append(content);
    await this.#append(ZEROS.subarray(0, -content.length & (TAR_BLOCK_BYTES - 1)));
    return true;
  }

  /** Waits until all files are written. @throws as {@link add} */
  async finish(): Promise<void> {
    await this.#append(ZEROS);
    await this.#flush();
    await this.#read;
    this.#pieces.end();
    const exit = await this.#exit;
    if (exit.code !== 0) throw tarError(exit);
  }

  /** Stops tar if it has not finished, and waits for its end: afterwards it writes nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the files are not needed any more"));
    this.#pieces.end();
    await this.#exit.catch(() => {});
  }

  async #append(bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    for (let room = this.#room; rest.length > room; room = this.#room) {
      this.#fill(rest.subarray(0, room));
      rest = rest.subarray(room);
      await this.#flush();
    }
    this.#fill(rest);
  }

  get #room(): number {
    return this.#buffer.length - this.#filled;
  }

  #fill(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  /** Hands the buffer to tar, and goes on with the other one as soon as tar has read it. */
  async #flush(): Promise<void> {
    await this.#read;
    // After an error, tar would go on with the next file.
    if (this.#pieces.isClosed || this.#hasComplained) await this.#fail();
    this.#read = this.#pieces.put(this.#buffer.subarray(0, this.#filled));
    [this.#buffer, this.#spare] = [this.#spare, this.#buffer];
    this.#filled = 0;
  }

  async #fail(): Promise<never> {
    this.#pieces.end();
    throw tarError(await this.#exit);
  }
}

async function hasGnuTar({ spawn, signal }: Pick<Context, "spawn" | "signal">): Promise<boolean> {
  const request: ProcessRequest = {
    command: "tar",
    args: ["--version"],
    env: ENV,
    timeoutMs: TRIAL_TIMEOUT_MS,
    signal,
  };
  try {
    const { code, stdout } = await runProcess(spawn, request);
    return code === 0 && new TextDecoder().decode(stdout).startsWith("tar (GNU tar)");
  } catch (error) {
    signal.throwIfAborted();
    // The system may not let this user start it.
    if (error instanceof ModelSyncError || osErrorCode(error) !== undefined) return false;
    throw error;
  }
}

/** What tar says about a failure, in one line. */
class TarError extends Error {}

function tarError({ code, stderr }: ProcessExit): unknown {
  const action = "write files into the store";
  const line = stderr.split("\n").find((line) => SAID_BY_TAR.test(line));
  const fault = FAULTS.find(([words]) => stderr.includes(words));
  const cause = new TarError(
    line === undefined ? `tar ended with exit code ${code}` : messageOf(new Error(line)),
  );
  if (fault !== undefined) return diskError(Object.assign(cause, { code: fault[1] }), action);
  return new FailedError(`Cannot ${action}: ${cause.message}`, {
    code: "TAR_FAILED",
    cause,
    hint: "run again; the active release is untouched",
  });
}
