import { PUBLISHING_COMMANDS } from "../../lib/store/history.ts";

/** What a run's outcome means to the fleet. Outcomes of later versions than this one count as successes that change nothing. */

const FAILURES: readonly string[] = ["failed", "refused", "interrupted"];

/** Outcomes that an operator did, or that change nothing: no news of the fleet. */
const EVERYDAY: readonly string[] = ["unchanged", "requested"];

/** Whether the run did not do what it was started for. A rollback by a canary or a failed reload is one, too. */
export function isFailure(outcome: string): boolean {
  return FAILURES.includes(outcome);
}

/** Whether people want to read of the run in the morning. */
export function isNews(outcome: string): boolean {
  return !EVERYDAY.includes(outcome);
}

/** Whether the run's release is the one that consumers of the node see. */
export function namesActiveRelease(command: string): boolean {
  return !PUBLISHING_COMMANDS.includes(command);
}

/** Whether the run made its release active. */
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
