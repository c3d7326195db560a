import { cleanLine } from "../core/clean_text.ts";
import { InterruptedError, ModelSyncError, UnreachableError } from "../core/errors.ts";
import type { Context } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
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
    // The operator stopped the diagnosis: that is no result of a check.
    if (error instanceof InterruptedError) throw error;
    const failure = systemFault(error, `check the ${name}`);
    if (!(failure instanceof ModelSyncError)) throw error;
    return [fail(name, failure.message, failure.hint ?? "fix it and run again")];
  }
}

/** How long a check waits for a server: a person waits for the diagnosis. */
export const ANSWER_MS = 15_000;

/** As {@link tried}, for a check of a server, which ends within {@link ANSWER_MS}. */
export async function triedRemote(
  context: Context,
  name: string,
  check: (bounded: Context) => Promise<Check>,
): Promise<Check> {
  return await tried(name, () => withinAnswerTime(context, check));
}

/** Runs checks of servers with a context whose signal is aborted after {@link ANSWER_MS}. */
export async function withinAnswerTime<Result>(
  context: Context,
  work: (bounded: Context) => Promise<Result>,
): Promise<Result> {
  const onTimeout = () =>
    new UnreachableError(`Cannot complete the check: no answer in ${ANSWER_MS / 1000} s`, {
      code: "UNREACHABLE",
      hint: "check the network and the server's address",
    });
  return await withDeadline(context, ANSWER_MS, onTimeout, (signal) => work({ ...context, signal }));
}
