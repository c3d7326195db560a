import { PUBLISHING_COMMANDS } from "../../lib/store/history.ts";

/**
 * What a run's outcome means to the fleet. Unknown outcomes, of later versions, count as successes that change nothing.
 */

const FAILURES: readonly string[] = ["failed", "refused", "interrupted"];

/** Outcomes that change nothing or that an operator caused: they are not shown as activity. */
const EVERYDAY: readonly string[] = ["unchanged", "requested"];

/** Returns whether the run failed. A rollback by a canary or after a failed reload does not count as a failure here. */
export function isFailure(outcome: string): boolean {
  return FAILURES.includes(outcome);
}

/** Returns whether the run is shown as activity of the fleet. */
export function isNews(outcome: string): boolean {
  return !EVERYDAY.includes(outcome);
}

/** Returns whether the command's release is the active one of its node. */
export function namesActiveRelease(command: string): boolean {
  return !PUBLISHING_COMMANDS.includes(command);
}

/** Returns whether the run activated its release. */
export function isActivation(
  { command, outcome, release, previous }: {
    readonly command: string;
    readonly outcome: string;
    readonly release?: string | undefined;
    readonly previous?: string | undefined;
  },
): boolean {
  if (release === undefined || !namesActiveRelease(command)) return false;
  return outcome === "activated" || (outcome === "rolled-back" && previous !== release);
}
