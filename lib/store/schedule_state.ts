import * as z from "zod";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

/** The state of a role that a daemon keeps across restarts. */
export interface RoleTimes {
  /** When its next run starts. */
  readonly next: Date;
  /** The due time of that run; earlier than `next` if the run is delayed. `undefined` if the run has no due time. */
  readonly due?: Date | undefined;
  /** Due times that have had their run, oldest first. */
  readonly served: readonly ServedSpan[];
}

/** The first and the last of consecutive due times. */
export type ServedSpan = readonly [first: Date, last: Date];

const Time = z.lazy(() => z.iso.datetime().transform((text) => new Date(text)));

const Entry = z.lazy(() =>
  z.object({
    next: Time,
    due: Time.optional(),
    served: z.array(z.tuple([Time, Time])).default([]),
  })
);

/** Earlier versions wrote only the time of the next run. */
const Entries = z.lazy(() =>
  z.record(z.string(), z.union([Time.transform((next) => ({ next, served: [] })), Entry]))
);

const SCHEDULE = new RebuiltFile<Readonly<Record<string, RoleTimes>>>("schedule.json", Entries);

/** Returns when a role runs next, as its daemon wrote it down. A time in the past shows a missed run. */
export function findDueTime(store: Store, role: string): Date | undefined {
  return findRoleTimes(store, role)?.next;
}

/** Returns what the last daemon with a role wrote down. */
export function findRoleTimes(store: Store, role: string): RoleTimes | undefined {
  return SCHEDULE.find(store)?.[role];
}

/** Writes down the times of a role. Another daemon may write the times of other roles at the same time. */
export function rememberRoleTimes(store: Store, role: string, times: RoleTimes): void {
  SCHEDULE.update(store, {}, (entries) => ({ ...entries, [role]: times }));
}
