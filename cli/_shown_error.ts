import { cleanLines } from "../lib/core/clean_text.ts";
import { EXIT, messageOf, ModelSyncError, osErrorCode } from "../lib/core/errors.ts";
import { systemFault } from "../lib/core/system_fault.ts";

/** An error as a command shows it. */
export interface ShownError
  extends Pick<ModelSyncError, "message" | "code" | "hint" | "exitCode" | "fields"> {
  /** The stack trace of an unexpected error, for the bug report. */
  readonly stack: string | undefined;
}

/** Returns what a command shows of an error. An unexpected one is a bug, with its stack trace. */
export function describeError(thrown: unknown): ShownError {
  const error = systemFault(thrown, "continue");
  if (error instanceof ModelSyncError) {
    const { message, code, hint, exitCode, fields } = error;
    return { message, code, hint, exitCode, fields, stack: undefined };
  }
  return {
    message: `unexpected: ${messageOf(error)}`,
    code: "UNEXPECTED",
    hint: isUnloadable(error)
      ? "a file of the program is damaged or missing: install model-sync again; if that does not help, report it with " +
        "the lines below"
      : "this is a bug in model-sync: please report it with the lines below",
    exitCode: EXIT.failed,
    fields: {},
    stack: error instanceof Error ? cleanLines(error.stack ?? "") : undefined,
  };
}

/** Whether the runtime could not load a module, which a command loads where it needs it. */
function isUnloadable(error: unknown): boolean {
  return error instanceof SyntaxError || osErrorCode(error) === "ERR_MODULE_NOT_FOUND";
}
