import type { Role } from "../config/roles.ts";

/** What operators want of a role while its daemon runs: `pause`, `resume` and `run-now`. Asked every few seconds. */
export interface RoleControl {
  /** Returns until when the role is paused; `resumed` when it has no end of its own; `undefined` when it is not paused. */
  pausedUntil(role: Role): Date | "resumed" | undefined;
  /** Takes the request to run the role now, if there is one. It is gone then. */
  takeRequest(role: Role): boolean;
}

/** The control of a daemon without operators. */
export const NO_CONTROL: RoleControl = { pausedUntil: () => undefined, takeRequest: () => false };
