import type { ArchiveLimits } from "./archive_limits.ts";
import { RefusedError } from "../core/errors.ts";
import type { SeekableFile } from "./file_range.ts";
import { findPathCollision, portablePathProblem } from "../core/portable_path.ts";
import { oneLine, quote } from "../core/quote.ts";

/** Why an archive is refused. */
export type ArchiveFault = "ARCHIVE_UNSAFE" | "ARCHIVE_DAMAGED" | "ARCHIVE_LIMIT" | "ARCHIVE_FORMAT";

const HINTS: Readonly<Record<ArchiveFault, string>> = {
  ARCHIVE_UNSAFE: "nothing of it was used; pack the models again, as regular files with relative paths",
  ARCHIVE_DAMAGED: "nothing of it was used; download it or pack the models again",
  ARCHIVE_LIMIT: "nothing of it was used; if its size is right, raise the limit in archives",
  ARCHIVE_FORMAT: "pack the models as .zip, .tar, .tar.gz or .tar.zst",
};

/**
 * Extracted bytes up to which the ratio does not matter: what is that small is no bomb, and a short file of one
 * repeated line shrinks a hundredfold honestly.
 */
const RATIO_FREE_BYTES = 64 * 1024 * 1024;

/** A hostile name can have 65,535 characters. */
const SHOWN_CHARACTERS = 200;

/** An archive's file, and what watches over its reading. */
export interface ArchiveSource {
  readonly file: SeekableFile;
  /** Size of the archive's file. */
  readonly bytes: number;
  readonly guard: ArchiveGuard;
  readonly signal: AbortSignal;
}

/** Holds what an archive says against the limits and against the rules for paths, and words every refusal. */
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

  /** The error to throw. @param problem completes the sentence "Cannot use models.zip: …" */
  fault(code: ArchiveFault, problem: string, cause?: unknown): RefusedError {
    return new RefusedError(`Cannot use ${this.#name}: ${problem}`, {
      code,
      hint: HINTS[code],
      cause,
    });
  }

  /** As {@link fault}, about one entry: the sentence goes on after its name. */
  entryFault(code: ArchiveFault, path: string, problem: string, cause?: unknown): RefusedError {
    return this.fault(code, `its entry ${this.quotePath(path)} ${problem}`, cause);
  }

  /** Returns a path of the archive for a message, shortened. */
  quotePath(path: string): string {
    return quote(path.length > SHOWN_CHARACTERS ? `${path.slice(0, SHOWN_CHARACTERS)}…` : path);
  }

  /** Counts a file or a folder, and checks its path by itself. */
  addEntry(kind: "file" | "folder", path: string): void {
    const { depthMax } = this.limits;
    (kind === "file" ? this.#files : this.#folders).push(path);
    this.checkEntryCount(this.#files.length + this.#folders.length);
    // Counted before it is split, so that a path of a million parts costs nothing.
    const depth = path.split("/", depthMax + 1).length;
    if (depth > depthMax) {
      throw this.entryFault("ARCHIVE_LIMIT", path, `is deeper than ${depthMax} folders (limit depthMax)`);
    }
    const problem = portablePathProblem(path);
    if (problem !== undefined) throw this.entryFault("ARCHIVE_UNSAFE", path, problem);
  }

  /** Checks a number of entries, announced or counted. */
  checkEntryCount(count: number): void {
    const { entriesMax } = this.limits;
    if (count > entriesMax) {
      throw this.fault("ARCHIVE_LIMIT", `it has more than ${entriesMax} entries (limit entriesMax)`);
    }
  }

  /** Checks how many bytes all contents have, announced or counted. */
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

  /** Checks all paths together, when the last was added. */
  checkCollisions(): void {
    const collision = findPathCollision(this.#files, this.#folders);
    if (collision === undefined) return;
    const { first, second, reason } = collision;
    throw this.fault("ARCHIVE_UNSAFE", `its entries ${quote(first)} and ${quote(second)} ${reason}`);
  }
}
