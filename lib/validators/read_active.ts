import type { Context } from "../core/context.ts";
import { messageOf, osErrorCode } from "../core/errors.ts";
import type { ModelFile } from "./checker.ts";
import { FormatProblem, InvalidModelError } from "./invalid_model.ts";

/**
 * Returns what `read` finds in a file of the active release; `undefined`, with a warning, if the file is missing,
 * unreadable or damaged. Then there is nothing to compare with, and a good release must not fail for the bad one that it
 * replaces.
 */
export function readActive<Found>(
  { log }: Pick<Context, "log">,
  { path }: ModelFile,
  read: () => Found,
): Found | undefined {
  try {
    return read();
  } catch (error) {
    const isDamage = error instanceof FormatProblem || error instanceof InvalidModelError ||
      osErrorCode(error) !== undefined;
    if (!isDamage) throw error;
    log.warn(`cannot compare with ${path} of the active release: ${messageOf(error)}`);
    return undefined;
  }
}
