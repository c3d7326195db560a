import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";

/** The codes for content that differs from the expected one. */
const WRONG_CONTENT = ["DIGEST_MISMATCH", "SIZE_MISMATCH"];

/**
 * Returns what `read` returns, which requests a file and verifies it. Wrong content is requested once more: if only the
 * answer was damaged on its way, the second one is right.
 *
 * @throws what `read` throws, for wrong content that of the second request
 */
export async function repeatIfWrong<Content>(
  { log }: Pick<Context, "log">,
  read: () => Promise<Content>,
): Promise<Content> {
  try {
    return await read();
  } catch (error) {
    const isWrong = error instanceof RefusedError && WRONG_CONTENT.includes(error.code);
    if (!isWrong) throw error;
    log.warn(`${error.message}; requesting it once more`);
    return await read();
  }
}
