import { join } from "node:path";
import { z } from "zod";
import { replaceFile } from "../core/files.ts";
import { whileLocked } from "../core/while_locked.ts";
import { readState } from "./state_entries.ts";
import type { Store } from "./store.ts";

/** What a daemon keeps of a role across restarts. */
export interface RoleTimes {
  /** When its next run starts. */
  readonly next: Date;
  /** The due time that run is for; earlier where the run is delayed or put off. `undefined` where it is for none. */
  readonly due: Date | undefined;
  /** Due times that have had their run, as the first and the last of those that follow each other; oldest first. */
  readonly served: readonly ServedSpan[];
}

/** The first and the last of due times that follow each other. */
export type ServedSpan = readonly [first: Date, last: Date];

const Time = z.iso.datetime().transform((text) => new Date(text));

const Entry = z.object({
  next: Time,
  due: Time.optional(),
  served: z.array(z.tuple([Time, Time])).default([]),
});

/** Earlier versions wrote the time of the next run alone. */
const Entries = z.record(z.string(), z.union([Time.transform((next) => ({ next, served: [] })), Entry]));

/** Returns when a daemon's role runs next, as its daemon wrote it down; what makes a missed run visible. */
export function findDueTime(store: Store, role: string): Date | undefined {
  return findRoleTimes(store, role)?.next;
}

/** Returns what the last daemon with a role wrote down. */
export function findRoleTimes(store: Store, role: string): RoleTimes | undefined {
  const entry = read(store)[role];
  return entry === undefined ? undefined : { due: undefined, ...entry };
}

/** Keeps the times of a role. Those of other roles stay, whichever daemon writes them. */
export function rememberRoleTimes(store: Store, role: string, times: RoleTimes): void {
  const file = join(store.root, "schedule.json");
  whileLocked(store.fs, file, () => {
    replaceFile(store.fs, file, `${JSON.stringify({ ...read(store), [role]: times })}\n`);
  });
}

function read(store: Store): z.infer<typeof Entries> {
  return readState(store, "schedule.json", Entries) ?? {};
}
