import type { Context } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { diskError, UnreachableError } from "../core/errors.ts";
import type { ContentRequest, Downloaded, DownloadRequest, RangeSupport, Reuse } from "./download_types.ts";
import { RestartDownload } from "./remote_content.ts";
import { Transfer } from "./transfer.ts";

/** Git LFS also treats thirty seconds without data as a stall. */
export const STALL_MS = 30_000;

/** How often a download restarts from zero when its bytes cannot be continued or have the wrong digest. */
const RESTARTS_MAX = 3;

/**
 * Downloads a file and returns its digest, which is computed while the bytes are written.
 *
 * A large file is read over several connections if the server supports ranges. A broken connection is continued. If the
 * digest is known, so is the download of a run that was killed, and the spans that this machine has in other files are
 * copied from there. Bytes with a wrong digest are downloaded once more: transit may have damaged them. Credentials are sent to their own origin only. Needs
 * net, read and write permission.
 *
 * @throws {RefusedError} `DIGEST_MISMATCH`, `SIZE_MISMATCH`, `DOWNLOAD_TOO_LARGE`, `REDIRECT_REFUSED`;
 * {@link AuthenticationError}; {@link UnreachableError}, for example `HTML_PAGE`; {@link DiskError}
 */
export async function download(context: Context, request: DownloadRequest): Promise<Downloaded> {
  return await withDeadline(context, request.limits.totalMs, () => tooSlow(request), async (signal) => {
    let ranges: RangeSupport = "unknown";
    let reuse: Reuse = "all";
    let wasWrong = false;
    for (let restarts = 0;; restarts++) {
      try {
        return await new Transfer({ ...context, signal }, request, ranges, reuse).run();
      } catch (error) {
        if (!(error instanceof RestartDownload)) {
          throw diskError(error, `write ${request.what} to ${request.path}`);
        }
        const isWrong = error.failure.code === "DIGEST_MISMATCH";
        const isWrongAgain = isWrong && wasWrong && reuse === "none";
        if (restarts >= RESTARTS_MAX || isWrongAgain) throw error.failure;
        wasWrong ||= isWrong;
        context.log.warn(`${error.failure.message}; restarting the download`);
        ({ ranges, reuse } = error);
      }
    }
  });
}

/** Returns the error for a download that exceeded its time limit. */
export function tooSlow({ what, limits }: ContentRequest): UnreachableError {
  return new UnreachableError(`Cannot read ${what}: it took longer than ${limits.totalMs / 1000} s`, {
    code: "TIMEOUT",
    hint: "raise the download's time limit in the configuration",
  });
}
