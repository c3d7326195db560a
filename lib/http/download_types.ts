import type { Credentials } from "./request_types.ts";
import type { ChunkList } from "../core/chunk_list.ts";
import type { FileDigest, Sha256 } from "../core/hash.ts";
import type { RetryPolicy } from "../core/retry.ts";
import type { Span } from "./spans.ts";

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
  /**
   * As {@link FileDigest.contentChunks}. With them, an interrupted download keeps each chunk whose digest is right, and
   * so does one whose bytes turn out to be damaged.
   */
  readonly contentChunks?: ChunkList | undefined;
}

/**
 * A span of the wanted file whose bytes this machine probably has in another file. The download copies them instead of
 * requesting them. They need not be right: the digest of the complete file decides.
 */
export interface HeldSpan extends Span {
  /** The other file. */
  readonly path: string;
  /** Where the span starts in it. */
  readonly offset: number;
}

/** A larger file that contains the wanted one. */
export interface Enclosing {
  /** The offset of the wanted file. */
  readonly offset: number;
  /** The size of the larger file. */
  readonly bytes: number;
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

/** A file on a server. */
export interface ContentRequest {
  /** Names the file in errors: `the archive of job 12`. */
  readonly what: string;
  /** Returns the file's address. Called again when a signed address has expired. */
  readonly locate: () => Promise<Located>;
  readonly expected: ExpectedContent;
  /** Where the wanted file is in the file at the address, for a stored file of an archive. Needs a known size and digest. */
  readonly within?: Enclosing | undefined;
  readonly limits: DownloadLimits;
  /** Called once the size is known, before anything is written. It may throw if the disk has too little space. */
  readonly onSize?: ((bytes: number) => Promise<void>) | undefined;
}

export interface DownloadRequest extends ContentRequest {
  /**
   * Returns spans that need not be downloaded, in order and apart from each other. It is called at most once, and only if
   * `expected` can prove the file and the server may support ranges. A carrier passes the spans of `HeldChunks` in
   * `lib/store/held_chunks.ts`.
   */
  readonly findHeld?: (() => Promise<readonly HeldSpan[]>) | undefined;
  /** For failures without a byte between them. Six attempts by default. */
  readonly retries?: RetryPolicy | undefined;
  /** The file to write. What an interrupted download left there is reused if `expected` can prove it. */
  readonly path: string;
}

/** A complete file with the expected content. It is not yet synced to the disk. */
export interface Downloaded extends FileDigest {
  /** Bytes that an earlier, interrupted download had written. */
  readonly resumedBytes: number;
  /** Bytes that were copied from files of this machine. */
  readonly copiedBytes: number;
}

/**
 * What an attempt may reuse. `all`: the bytes of an interrupted download and of other files. `proven`: of the bytes of
 * the attempt before, those that the digests of chunks prove. `none`: everything is downloaded.
 */
export type Reuse = "all" | "proven" | "none";

/** Whether the server answers range requests. */
export type RangeSupport = "unknown" | "no";
