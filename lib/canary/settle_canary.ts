import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { FailedError, UsageError } from "../core/errors.ts";
import {
  type CanaryFile,
  type CanaryState,
  isOpen,
  isSameCanary,
  UNREADABLE_HINT,
  updateCanary,
} from "./canary_state.ts";

type SettleContext = Pick<Context, "fs" | "clock">;

/**
 * Ends the canary with an operator's verdict that the release is good. Its watchers end with `promoted`.
 *
 * @throws {UsageError} code `NO_CANARY`; {@link FailedError} code `CANARY_STATE_INVALID`
 */
export function promoteCanary(context: SettleContext, path: string): CanaryState {
  return settle(context, path, "promoted");
}

/**
 * Ends the canary with an operator's verdict that the release is bad. Its watchers end with `aborted`, and roll back.
 *
 * @throws {UsageError} code `NO_CANARY`; {@link FailedError} code `CANARY_STATE_INVALID`
 */
export function abortCanary(context: SettleContext, path: string): CanaryState {
  return settle(context, path, "aborted");
}

function settle({ fs, clock }: SettleContext, path: string, status: "promoted" | "aborted"): CanaryState {
  const verb = status === "promoted" ? "promote" : "abort";
  return updateCanary(fs, path, (found): CanaryState => ({
    ...openCanary(found, verb),
    status,
    statusSince: isoSeconds(clock.now()),
    reason: `${status} by an operator`,
  })).written;
}

function openCanary(found: CanaryFile, verb: string): CanaryState {
  if (found.kind === "found" && isOpen(found.state)) return found.state;
  if (found.kind === "unreadable") {
    throw new FailedError(`Cannot ${verb} the canary: ${found.reason}`, {
      code: "CANARY_STATE_INVALID",
      hint: UNREADABLE_HINT,
    });
  }
  const state = found.kind === "found"
    ? `the last canary is ${found.state.status}`
    : "and none has been so far";
  throw new UsageError(`Cannot ${verb} the canary: no release is in canary, ${state}`, {
    code: "NO_CANARY",
    hint: "model-sync status shows the active release; model-sync rollback activates the previous one",
  });
}

/**
 * Notes that a run acted on the verdict: consumers were notified after a rollback with its quarantine. Until then, the
 * next process acts. Does nothing where another canary has taken its place.
 */
export function concludeCanary({ fs, clock }: SettleContext, path: string, canary: CanaryState): void {
  updateCanary(fs, path, (found) => {
    const isOurs = found.kind === "found" && isSameCanary(found.state, canary) && !isOpen(found.state);
    return isOurs ? { ...found.state, concludedAt: isoSeconds(clock.now()) } : undefined;
  });
}
