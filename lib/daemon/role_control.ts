import type { Role } from "../config/roles.ts";

/** The pauses and requests of operators, which a role's loop checks every few seconds. */
export interface RoleControl {
  /** Returns the end of the role's pause: `resumed` without a time; `undefined` where it is not paused. */
  pausedUntil(role: Role): Date | "resumed" | undefined;
  /** Takes the request to run the role now. Returns whether there was one. */
  takeRequest(role: Role): boolean;
}

/** The control of a daemon without operators. */
export const NO_CONTROL: RoleControl = { pausedUntil: () => undefined, takeRequest: () => false };
