import { z } from "zod";
import type { AlertKind } from "../config/sections/alerts.ts";
import type { Outcome } from "../store/history.ts";
import { KILLED } from "../store/run_duration.ts";
import type { Alert, AlertEvent } from "./alert.ts";

const Failing = z.object({
  /** What was told last: outcome, code and release. */
  what: z.string().max(1_000),
  /** When the command began to fail. */
  since: z.iso.datetime(),
});
export const AlertMemory = z.record(z.string(), Failing);
/** The failures that were told and are not over, by command. */
export type AlertMemory = Readonly<z.infer<typeof AlertMemory>>;

/** The program has some twenty commands. */
const COMMANDS_MAX = 50;

const FAILURES: readonly Outcome[] = ["failed", "refused", "rolled-back"];

export interface AlertDecision {
  /** What is told, if anything. */
  readonly alert: Alert | undefined;
  /** What to remember once it was told. */
  readonly memory: AlertMemory;
}

/**
 * Decides what is told of a run. A failure is told once, until another takes its place (other outcome, code or
 * release) or the command works again, which is told with how long it had not.
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
  // A killed run had no time to fail: it alerts where failures do.
  const told = on.find((kind) => kind === outcome || (isKilled && kind === "failed"));
  // An operator's rollback is no failure: nothing is to recover.
  if ((FAILURES.includes(outcome) || isKilled) && event.error !== undefined) {
    const what = [outcome, event.error.code, event.release ?? ""].join(" ");
    if (told === undefined || failing?.what === what || isEcho(event.error.code, memory)) {
      return { alert: undefined, memory };
    }
    return {
      alert: { kind: told, event, downForMs: undefined },
      memory: bounded({ ...others, [event.command]: { what, since: failing?.since ?? event.startedAt } }),
    };
  }
  // A run that was stopped says nothing of whether the command works.
  if (failing === undefined || outcome === "interrupted") {
    return { alert: told === undefined ? undefined : { kind: told, event, downForMs: undefined }, memory };
  }
  const downForMs = Math.max(0, now.getTime() - Date.parse(failing.since));
  const kind = told ?? on.find((kind) => kind === "recovered");
  return { alert: kind === undefined ? undefined : { kind, event, downForMs }, memory: others };
}

/** A release that is refused because of a failure that was told, as every later pull refuses it. */
function isEcho(code: string, memory: AlertMemory): boolean {
  return code === "QUARANTINED" && Object.keys(memory).length > 0;
}

function bounded(memory: AlertMemory): AlertMemory {
  return Object.fromEntries(Object.entries(memory).slice(-COMMANDS_MAX));
}
