import type { Credentials } from "./request_types.ts";
import type { FileDigest, Sha256 } from "../core/hash.ts";

/** An address from which a file can be read now. */
export interface Located {
  readonly url: string;
  readonly credentials?: Credentials | undefined;
  /** A signed address expires. The download then requests a new one. */
  readonly isSigned: boolean;
}

/** The size and digests that are known before the download. */
export interface ExpectedContent {
  readonly bytes?: number | undefined;
  readonly sha256?: Sha256 | undefined;
  /** As {@link FileDigest.chunks}. With them, an interrupted download keeps each chunk whose digest is right. */
  readonly chunks?: readonly Sha256[] | undefined;
}

export interface DownloadLimits {
  /** A connection without data for this long is closed and retried. */
  readonly stallMs: number;
  /** For the whole download, retries included. */
  readonly totalMs: number;
  readonly bytesMax: number;
  /** For all connections together. Without it, the rate is not limited. */
  readonly bytesPerSecondMax?: number | undefined;
}

export interface DownloadRequest {
  /** Names the file in errors: `the archive of job 12`. */
  readonly what: string;
  /** Returns the file's address. Called again when a signed address has expired. */
  readonly locate: () => Promise<Located>;
  readonly expected: ExpectedContent;
  readonly limits: DownloadLimits;
  /** The file to write. What an interrupted download left there is reused if `expected` can prove it. */
  readonly path: string;
  /** Called once the size is known, before anything is written. It may throw if the disk has too little space. */
  readonly onSize?: ((bytes: number) => Promise<void>) | undefined;
}

/** A complete file with the expected content. It is not yet synced to the disk. */
export interface Downloaded extends FileDigest {
  /** Bytes that an earlier, interrupted download had written. */
  readonly resumedBytes: number;
}

/** Whether the server answers range requests. */
export type RangeSupport = "unknown" | "no";
