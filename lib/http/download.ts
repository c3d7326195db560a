import type { Context } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { diskError, UnreachableError } from "../core/errors.ts";
import type { FileDigest, Sha256 } from "../core/hash.ts";
import type { Credentials } from "./request.ts";
import { BeginAnew, type RangeSupport } from "./remote_content.ts";
import { Transfer } from "./transfer.ts";

/** Where bytes are, for now. */
export interface Located {
  readonly url: string;
  readonly credentials?: Credentials | undefined;
  /** The address carries its own permission, which ends: a refusal there is answered by asking for a new address. */
  readonly isSigned: boolean;
}

/** What is known of the bytes before they come. */
export interface ExpectedContent {
  readonly bytes?: number | undefined;
  readonly sha256?: Sha256 | undefined;
  /** As {@link FileDigest.chunks}: with them a broken download keeps what it has, piece by proven piece. */
  readonly chunks?: readonly Sha256[] | undefined;
}

export interface DownloadLimits {
  /** A connection that brings nothing for so long is given up. */
  readonly stallMs: number;
  /** The whole download, with all its attempts. */
  readonly totalMs: number;
  readonly bytesMax: number;
  /** On all connections together; without it as fast as it comes. */
  readonly bytesPerSecondMax?: number | undefined;
}

export interface DownloadRequest {
  /** What it is, for errors: `the archive of job 12`. */
  readonly what: string;
  /** Says where the bytes are; asked again when the address expired. */
  readonly locate: () => Promise<Located>;
  readonly expected: ExpectedContent;
  readonly limits: DownloadLimits;
  /** Where the bytes go. What a broken download left there is continued, if `expected` can prove it. */
  readonly path: string;
  /** Called once the size is known, before anything is written: refuse here what the disk cannot hold. */
  readonly onSize?: ((bytes: number) => Promise<void>) | undefined;
}

/** A file that is whole and is what was expected. It is not yet synced to the disk. */
export interface Downloaded extends FileDigest {
  /** Bytes that an earlier, broken download had brought. */
  readonly resumedBytes: number;
}

/** Thirty seconds without a byte is what Git LFS calls a stall, too. */
export const STALL_MS = 30_000;

/** A content that cannot be continued, or turned out wrong, is begun anew this often. */
const RESTARTS_MAX = 3;

/**
 * Brings a file: streamed to the disk, hashed in the same pass, over several connections where it is large and the
 * server can, continued where a connection breaks and, when its digest is known, where an earlier run was killed.
 * Credentials go to their own origin alone. Needs net, read and write permission.
 *
 * @throws {RefusedError} `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `DOWNLOAD_TOO_LARGE`, `REDIRECT_REFUSED`;
 * {@link AuthenticationError}; {@link UnreachableError}, among them `HTML_PAGE`; {@link DiskError}
 */
export async function download(context: Context, request: DownloadRequest): Promise<Downloaded> {
  return await withDeadline(context, request.limits.totalMs, () => tooSlow(request), async (signal) => {
    let ranges: RangeSupport = "unknown";
    for (let restarts = 0;; restarts++) {
      try {
        return await new Transfer({ ...context, signal }, request, ranges).run();
      } catch (error) {
        if (!(error instanceof BeginAnew)) {
          throw diskError(error, `write ${request.what} to ${request.path}`);
        }
        if (restarts >= RESTARTS_MAX) throw error.failure;
        context.log.warn(`${error.failure.message}; beginning anew`);
        ranges = error.ranges;
      }
    }
  });
}

function tooSlow({ what, limits }: DownloadRequest): UnreachableError {
  return new UnreachableError(`Cannot read ${what}: it took longer than ${limits.totalMs / 1000} s`, {
    code: "TIMEOUT",
    hint: "give it more time in the configuration",
  });
}
