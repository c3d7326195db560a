import type { Calendar } from "./calendar.ts";
import type { DenyWindow } from "./deny_windows.ts";

/** When a role is due, and what becomes of a due time. */
export interface RoleSchedule {
  /** As configured, or `every 15 minutes`. */
  readonly times: readonly string[];
  readonly calendar: Calendar;
  /** That of its times; `undefined` for the machine's own. */
  readonly timeZone?: string | undefined;
  /** Whether due times count from the last run on, instead of being on the clock. */
  readonly isInterval: boolean;
  /** The longest delay after a due time. */
  readonly splayMs: number;
  /** How much later than it should have started a run is made up for: 0 for never, `Infinity` for always. */
  readonly catchUpMs: number;
  readonly deny: readonly DenyWindow[];
}
