import { cleanLine } from "../core/clean_text.ts";
import { ModelSyncError } from "../core/errors.ts";
import { systemFault } from "../core/system_fault.ts";

/** The result of one check. */
export interface Check {
  readonly name: string;
  readonly status: "pass" | "warn" | "fail";
  readonly detail: string;
  /** How to fix the problem; `undefined` for a check that passed. `doctor --json` prints the key, so its name stays. */
  readonly mend: string | undefined;
}

export function pass(name: string, detail: string): Check {
  return check("pass", name, detail, undefined);
}

export function warn(name: string, detail: string, hint: string): Check {
  return check("warn", name, detail, hint);
}

export function fail(name: string, detail: string, hint: string): Check {
  return check("fail", name, detail, hint);
}

/** Returns a check with cleaned texts: they quote servers, files and the configuration. */
function check(status: Check["status"], name: string, detail: string, hint: string | undefined): Check {
  return {
    name: cleanLine(name),
    status,
    detail: cleanLine(detail),
    mend: hint === undefined ? undefined : cleanLine(hint),
  };
}

/** Returns the result of a check. An error becomes a failed check. */
export async function tried(name: string, check: () => Check | Promise<Check>): Promise<Check> {
  const [result] = await triedAll(name, async () => [await check()]);
  return result ?? pass(name, "nothing to check");
}

/** Returns the results of checks. An error becomes the only result, a failed check. */
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
