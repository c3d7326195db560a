import { cleanLine } from "../core/clean_text.ts";
import { ModelSyncError } from "../core/errors.ts";
import { systemFault } from "../core/system_fault.ts";

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
export async function tried(name: string, check: () => Check | Promise<Check>): Promise<Check> {
  const [result] = await triedAll(name, async () => [await check()]);
  return result ?? pass(name, "nothing to check");
}

/** Checks of which the first error is the result. */
export async function triedAll(
  name: string,
  checks: () => Check[] | Promise<Check[]>,
): Promise<Check[]> {
  try {
    return await checks();
  } catch (error) {
    const failure = systemFault(error, `check the ${name}`);
    if (!(failure instanceof ModelSyncError)) throw error;
    return [fail(name, failure.message, failure.hint ?? "fix it and run again")];
  }
}
