import { ModelSyncError, osErrorCode } from "../core/errors.ts";
import { oneLine } from "../core/quote.ts";

/** The result of one check, with how to mend what is not right. */
export interface Check {
  readonly name: string;
  readonly status: "pass" | "warn" | "fail";
  readonly detail: string;
  readonly mend: string | undefined;
}

export function pass(name: string, detail: string): Check {
  return { name, status: "pass", detail, mend: undefined };
}

export function warn(name: string, detail: string, mend: string): Check {
  return { name, status: "warn", detail, mend };
}

export function fail(name: string, detail: string, mend: string): Check {
  return { name, status: "fail", detail, mend };
}

/** A check whose error is its result. */
export async function tried(name: string, check: () => Promise<Check>): Promise<Check> {
  try {
    return await check();
  } catch (error) {
    const mend = "mend it and run again";
    if (error instanceof ModelSyncError) return fail(name, error.message, error.hint ?? mend);
    if (isSystemFault(error)) return fail(name, oneLine(error.message), mend);
    throw error;
  }
}

/** What the system or the runtime refuses, as a file of another user. */
function isSystemFault(error: unknown): error is Error {
  return error instanceof Deno.errors.NotCapable || osErrorCode(error) !== undefined;
}
