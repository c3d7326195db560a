import type { ArchiveLimits } from "./archive_limits.ts";
import { RefusedError } from "../core/errors.ts";
import type { SeekableFile } from "./file_range.ts";
import { findPathCollision, portablePathProblem } from "../core/portable_path.ts";
import { oneLine, quote } from "../core/quote.ts";

/** The reason why an archive is refused. */
export type ArchiveFault = "ARCHIVE_UNSAFE" | "ARCHIVE_DAMAGED" | "ARCHIVE_LIMIT" | "ARCHIVE_FORMAT";

const HINTS: Readonly<Record<ArchiveFault, string>> = {
  ARCHIVE_UNSAFE: "nothing of it was used; pack the models again, as regular files with relative paths",
  ARCHIVE_DAMAGED: "nothing of it was used; download it or pack the models again",
  ARCHIVE_LIMIT: "nothing of it was used; if its size is right, raise the limit in archives",
  ARCHIVE_FORMAT: "pack the models as .zip, .tar, .tar.gz or .tar.zst",
};

/**
 * Up to this many extracted bytes, the ratio is not checked. An archive this small is not a bomb, and an honest file of
 * one repeated line can shrink a hundredfold.
 */
const RATIO_FREE_BYTES = 64 * 1024 * 1024;

/** A hostile name can have 65,535 characters. */
const SHOWN_CHARACTERS = 200;

/** An archive's file with the guard that checks it. */
export interface ArchiveSource {
  readonly file: SeekableFile;
  /** Size of the archive's file. */
  readonly bytes: number;
  readonly guard: ArchiveGuard;
  readonly signal: AbortSignal;
}

/** Checks an archive against the limits and the rules for paths, and creates the errors. */
export class ArchiveGuard {
  readonly limits: ArchiveLimits;
  readonly #name: string;
  readonly #archiveBytes: number;
  readonly #files: string[] = [];
  readonly #folders: string[] = [];

  /**
   * @param name of the archive, for messages
   * @param archiveBytes size of its file
   */
  constructor(name: string, archiveBytes: number, limits: ArchiveLimits) {
    this.limits = limits;
    this.#name = oneLine(name);
    this.#archiveBytes = archiveBytes;
  }

  /** Returns the error to throw. @param problem completes the sentence "Cannot use models.zip: …" */
  fault(code: ArchiveFault, problem: string, cause?: unknown): RefusedError {
    return new RefusedError(`Cannot use ${this.#name}: ${problem}`, {
      code,
      hint: HINTS[code],
      cause,
    });
  }

  /** As {@link fault}, about one entry. `problem` follows its name. */
  entryFault(code: ArchiveFault, path: string, problem: string, cause?: unknown): RefusedError {
    return this.fault(code, `its entry ${this.quotePath(path)} ${problem}`, cause);
  }

  /** Returns a path of the archive for a message, shortened. */
  quotePath(path: string): string {
    return quote(path.length > SHOWN_CHARACTERS ? `${path.slice(0, SHOWN_CHARACTERS)}…` : path);
  }

  /** Counts a file or a folder, and checks its path. */
  addEntry(kind: "file" | "folder", path: string): void {
    const { depthMax } = this.limits;
    (kind === "file" ? this.#files : this.#folders).push(path);
    this.checkEntryCount(this.#files.length + this.#folders.length);
    // The limit keeps the split cheap for a path of a million parts.
    const depth = path.split("/", depthMax + 1).length;
    if (depth > depthMax) {
      throw this.entryFault("ARCHIVE_LIMIT", path, `is deeper than ${depthMax} folders (limit depthMax)`);
    }
    const problem = portablePathProblem(path);
    if (problem !== undefined) throw this.entryFault("ARCHIVE_UNSAFE", path, problem);
  }

  /** Checks a stated or counted number of entries. */
  checkEntryCount(count: number): void {
    const { entriesMax } = this.limits;
    if (count > entriesMax) {
      throw this.fault("ARCHIVE_LIMIT", `it has more than ${entriesMax} entries (limit entriesMax)`);
    }
  }

  /** Checks the stated or counted size of all contents. */
  checkBytes(bytes: number): void {
    const { bytesMax, ratioMax } = this.limits;
    if (bytes > bytesMax) {
      throw this.fault("ARCHIVE_LIMIT", `it extracts to more than ${bytesMax} bytes (limit bytesMax)`);
    }
    if (bytes > RATIO_FREE_BYTES && bytes > ratioMax * this.#archiveBytes) {
      throw this.fault(
        "ARCHIVE_LIMIT",
        `its ${this.#archiveBytes} bytes extract to more than ${ratioMax} times as many (limit ratioMax)`,
      );
    }
  }

  /** Checks that no two paths collide, after the last one was added. */
  checkCollisions(): void {
    const collision = findPathCollision(this.#files, this.#folders);
    if (collision === undefined) return;
    const { first, second, reason } = collision;
    throw this.fault("ARCHIVE_UNSAFE", `its entries ${quote(first)} and ${quote(second)} ${reason}`);
  }
}
