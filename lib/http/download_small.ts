import type { Context } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { TransientError } from "../core/errors.ts";
import { FileHasher } from "../core/hash.ts";
import type { ContentRequest } from "./download_types.ts";
import { tooSlow } from "./download.ts";
import { RemoteContent, RestartDownload } from "./remote_content.ts";
import { readBody } from "./request.ts";

/** The size up to which a file is read into memory. Of a larger one, it pays to keep what an interruption left. */
export const SMALL_FILE_BYTES_MAX = 512 * 1024;

/** A small file whose size is known. */
export type SmallRequest = Omit<ContentRequest, "expected"> & {
  readonly expected: ContentRequest["expected"] & { readonly bytes: number };
};

/**
 * Returns the bytes of a small file, verified, with one request and without a file on the disk. It makes one attempt;
 * the caller repeats it after a {@link TransientError}.
 *
 * @throws {TransientError} also for a cut answer and an expired address; {@link RefusedError} `DIGEST_MISMATCH`,
 * `SIZE_MISMATCH`, `REDIRECT_REFUSED`; {@link AuthenticationError}; {@link UnreachableError}, for example `HTML_PAGE`
 */
export async function downloadSmall(
  context: Context,
  request: SmallRequest,
): Promise<Uint8Array<ArrayBuffer>> {
  const { expected: { bytes, sha256 }, limits: { totalMs } } = request;
  return await withDeadline(context, totalMs, () => tooSlow(request), async (signal) => {
    const content = new RemoteContent({ ...context, signal }, request, "no");
    await content.learnTotal(bytes);
    try {
      const all = await readWhole(content, request);
      const hasher = await FileHasher.create();
      hasher.update(all);
      const digest = hasher.digest();
      if (sha256 === undefined || digest.sha256 === sha256) return all;
      throw content.wrongDigest(digest.sha256);
    } catch (error) {
      if (!(error instanceof RestartDownload)) throw error;
      const { message, code, hint } = error.failure;
      throw new TransientError(message, { code, cause: error.failure, hint });
    }
  });
}

async function readWhole(content: RemoteContent, request: SmallRequest): Promise<Uint8Array<ArrayBuffer>> {
  const { bytes } = request.expected;
  using opened = await content.open({ start: 0, end: bytes }, true);
  const { response, watch } = opened;
  const all = new Uint8Array(bytes);
  let filled = 0;
  for await (const piece of readBody(response, { ...request, url: response.url }, Infinity)) {
    if (filled + piece.length > bytes) throw content.wrongSize(filled + piece.length);
    watch.beat();
    all.set(piece, filled);
    filled += piece.length;
  }
  content.checkEnd(filled, bytes);
  return all;
}
