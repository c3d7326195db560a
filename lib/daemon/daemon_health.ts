import type { Clock } from "../core/clock.ts";
import { formatLocalTime } from "../core/format.ts";
import type { Role } from "../config/roles.ts";

/** The state of a role's loop. */
export interface RoleHealth {
  readonly role: Role;
  /** Whether the loop still checks its schedule, or runs its job. */
  readonly isAlive: boolean;
  /** When the loop last checked its schedule; `undefined` before the first time. */
  readonly lastTick: Date | undefined;
  /** Since when its job runs; `undefined` while it waits. */
  readonly runningSince: Date | undefined;
  readonly nextDue: Date | undefined;
  /** `resumed`: until an operator resumes it. */
  readonly pausedUntil: Date | "resumed" | undefined;
}

/** A loop checks its schedule every minute at least. One that misses two of these checks is stuck. */
const SILENCE_MS_MAX = 150_000;

type Entry = Omit<RoleHealth, "isAlive"> & { readonly lastTickMs: number };

/** Tracks whether the loops of a daemon work, from what they report. */
export class DaemonHealth {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #silenceMsMax: number;
  readonly #entries = new Map<Role, Entry>();
  readonly #up = Promise.withResolvers<void>();

  /**
   * @param onChange called when a role begins or ends a run, is paused or resumed, or has another due time
   * @param silenceMsMax the longest time between two checks of a loop that works
   */
  constructor(
    clock: Clock,
    roles: readonly Role[],
    onChange: () => void = () => {},
    silenceMsMax = SILENCE_MS_MAX,
  ) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#silenceMsMax = silenceMsMax;
    for (const role of roles) {
      this.#entries.set(role, {
        role,
        lastTick: undefined,
        lastTickMs: clock.monotonicMs(),
        runningSince: undefined,
        nextDue: undefined,
        pausedUntil: undefined,
      });
    }
  }

  /** Settles when every loop has begun to check its schedule. */
  get up(): Promise<void> {
    return this.#up.promise;
  }

  /** Notes that the loop of a role checked its schedule. */
  ticked(role: Role): void {
    this.#set(role, { lastTick: this.#clock.now(), lastTickMs: this.#clock.monotonicMs() });
    if (this.#entries.values().every(({ lastTick }) => lastTick !== undefined)) this.#up.resolve();
  }

  began(role: Role): void {
    this.#change(role, { runningSince: this.#clock.now() });
  }

  ended(role: Role): void {
    this.ticked(role);
    this.#change(role, { runningSince: undefined });
  }

  due(role: Role, nextDue: Date): void {
    this.#change(role, { nextDue });
  }

  paused(role: Role, pausedUntil: Date | "resumed" | undefined): void {
    this.#change(role, { pausedUntil });
  }

  /** Returns the health of the roles, in their configured order. */
  roles(): RoleHealth[] {
    const nowMs = this.#clock.monotonicMs();
    return Array.from(this.#entries.values(), ({ lastTickMs, ...entry }) => ({
      ...entry,
      // A job may take hours; its own time limits end it.
      isAlive: entry.runningSince !== undefined || nowMs - lastTickMs <= this.#silenceMsMax,
    }));
  }

  isAlive(): boolean {
    return this.roles().every(({ isAlive }) => isAlive);
  }

  #change(role: Role, change: Partial<Entry>): void {
    this.#set(role, change);
    this.#onChange();
  }

  #set(role: Role, change: Partial<Entry>): void {
    const entry = this.#entries.get(role);
    if (entry !== undefined) this.#entries.set(role, { ...entry, ...change });
  }
}

/**
 * Returns the state of a daemon's roles in one line, for `systemctl status`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { describeRoles } from "./daemon_health.ts";
 * const client = { role: "client", isAlive: true, lastTick: undefined, runningSince: undefined } as const;
 * const nextDue = new Date("2026-11-30T05:00:00Z");
 * assert.equal(
 *   describeRoles([{ ...client, nextDue, pausedUntil: undefined }], "Europe/Paris"),
 *   "client: next run at 2026-11-30 06:00 Europe/Paris",
 * );
 * ```
 */
export function describeRoles(roles: readonly RoleHealth[], timeZone: string | undefined): string {
  const time = (date: Date) => formatLocalTime(date, timeZone);
  return roles.map(({ role, isAlive, runningSince, nextDue, pausedUntil }) => {
    if (!isAlive) return `${role}: stuck`;
    if (runningSince !== undefined) return `${role}: running since ${time(runningSince)}`;
    if (pausedUntil !== undefined) {
      return `${role}: paused until ${pausedUntil === "resumed" ? pausedUntil : time(pausedUntil)}`;
    }
    return nextDue === undefined ? `${role}: starting` : `${role}: next run at ${time(nextDue)}`;
  }).join("; ");
}
