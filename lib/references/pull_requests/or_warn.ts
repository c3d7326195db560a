import { ModelSyncError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";

/** Does optional work, whose failure is a warning. @throws the signal's reason, and bugs */
export async function orWarn(
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
  problem: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (signal.aborted || !(error instanceof ModelSyncError)) throw error;
    log.warn(`${problem} (${error.message})`);
  }
}
