import { cleanLine } from "../core/clean_text.ts";
import { messageOf, ModelSyncError, osErrorCode } from "../core/errors.ts";

/** The result of one check, with how to mend what is not right. */
export interface Check {
  readonly name: string;
  readonly status: "pass" | "warn" | "fail";
  readonly detail: string;
  readonly mend: string | undefined;
}

export function pass(name: string, detail: string): Check {
  return check("pass", name, detail, undefined);
}

export function warn(name: string, detail: string, mend: string): Check {
  return check("warn", name, detail, mend);
}

export function fail(name: string, detail: string, mend: string): Check {
  return check("fail", name, detail, mend);
}

/** Servers, files and the configuration are quoted in it. */
function check(status: Check["status"], name: string, detail: string, mend: string | undefined): Check {
  return {
    name: cleanLine(name),
    status,
    detail: cleanLine(detail),
    mend: mend === undefined ? undefined : cleanLine(mend),
  };
}

/** A check whose error is its result. */
export async function tried(name: string, check: () => Promise<Check>): Promise<Check> {
  try {
    return await check();
  } catch (error) {
    return failure(name, error);
  }
}

/** As {@link tried}, for a check that has several results, or none. */
export async function triedAll(name: string, check: () => Promise<Check[]>): Promise<Check[]> {
  try {
    return await check();
  } catch (error) {
    return [failure(name, error)];
  }
}

function failure(name: string, error: unknown): Check {
  const mend = "mend it and run again";
  if (error instanceof ModelSyncError) return fail(name, error.message, error.hint ?? mend);
  if (isSystemFault(error)) return fail(name, messageOf(error), mend);
  throw error;
}

/** What the system or the runtime refuses, as a file of another user. */
function isSystemFault(error: unknown): error is Error {
  return error instanceof Deno.errors.NotCapable || osErrorCode(error) !== undefined;
}
