import * as z from "zod";
import type { AlertKind } from "../config/sections/alerts.ts";
import type { Outcome } from "../store/history.ts";
import { KILLED } from "../store/run_duration.ts";
import type { Alert, AlertEvent } from "./alert.ts";

const Failing = z.object({
  /** The last alert: outcome, code and release. */
  what: z.string().max(1_000),
  /** When the command began to fail. */
  since: z.iso.datetime(),
});
export const AlertMemory = z.record(z.string(), Failing);
/** The failures that were alerted and are not over, by command. */
export type AlertMemory = Readonly<z.infer<typeof AlertMemory>>;

/** The bound of remembered failures. The program has about twenty commands. */
const COMMANDS_MAX = 50;

const FAILURES: readonly Outcome[] = ["failed", "refused", "rolled-back"];

export interface AlertDecision {
  /** The alert to send, if any. */
  readonly alert: Alert | undefined;
  /** The memory after the alert was sent. */
  readonly memory: AlertMemory;
}

/**
 * Decides whether a run is alerted. A failure is alerted once, until another failure (other outcome, code or release)
 * replaces it. When the command works again, the alert says how long it had failed.
 */
export function decideAlert(
  memory: AlertMemory,
  event: AlertEvent,
  on: readonly AlertKind[],
  now: Date,
): AlertDecision {
  const { [event.command]: failing, ...others } = memory;
  const { outcome } = event;
  const isKilled = outcome === "interrupted" && event.error?.code === KILLED;
  // A killed run counts as a failure.
  const alerted = on.find((kind) => kind === outcome || (isKilled && kind === "failed"));
  // An operator's rollback has no error: it is not a failure.
  if ((FAILURES.includes(outcome) || isKilled) && event.error !== undefined) {
    const what = [outcome, event.error.code, event.release ?? ""].join(" ");
    if (alerted === undefined || failing?.what === what || isEcho(what, failing, memory)) {
      return { alert: undefined, memory };
    }
    return {
      alert: { kind: alerted, event, downForMs: undefined },
      memory: bounded({ ...others, [event.command]: { what, since: failing?.since ?? event.startedAt } }),
    };
  }
  // A stopped run does not show whether the command works.
  if (failing === undefined || outcome === "interrupted") {
    return {
      alert: alerted === undefined ? undefined : { kind: alerted, event, downForMs: undefined },
      memory,
    };
  }
  const downForMs = Math.max(0, now.getTime() - Date.parse(failing.since));
  const kind = alerted ?? on.find((kind) => kind === "recovered");
  return { alert: kind === undefined ? undefined : { kind, event, downForMs }, memory: others };
}

/**
 * Returns whether a failure only repeats one that is alerted: a pull refused a quarantined release while a failure is
 * alerted, or a withdrawn release after it rolled back from one. Every later pull refuses it, too.
 */
function isEcho(what: string, failing: AlertMemory[string] | undefined, memory: AlertMemory): boolean {
  if (what.startsWith("refused WITHDRAWN ")) {
    return failing?.what.startsWith("rolled-back WITHDRAWN ") === true;
  }
  return what.split(" ")[1] === "QUARANTINED" && Object.keys(memory).length > 0;
}

function bounded(memory: AlertMemory): AlertMemory {
  return Object.fromEntries(Object.entries(memory).slice(-COMMANDS_MAX));
}
