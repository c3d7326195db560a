import * as z from "zod";
import { CleanString } from "../core/clean_string.ts";
import { withReserve } from "./reserve.ts";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

const Pause = z.lazy(() =>
  z.object({
    since: z.iso.datetime(),
    /** `null`: until an operator resumes the role. */
    until: z.iso.datetime().nullable(),
    /** The machine on which it was paused. */
    host: CleanString,
    reason: CleanString.optional(),
  })
);
/** A pause of a role: the daemon does not run it on schedule. */
export type Pause = Readonly<z.infer<typeof Pause>>;

/** The pause of each paused role. */
export type Pauses = Readonly<Record<string, Pause>>;

const PAUSES = new RebuiltFile<Pauses>("paused.json", z.lazy(() => z.record(z.string(), Pause)));

/** Returns the path of the file, for readers that check whether it changed. */
export function pausesPath(store: Pick<Store, "root">): string {
  return PAUSES.path(store);
}

/** Returns the pauses in force at `now`. */
export function readPauses(store: Store, now: Date): Pauses {
  return Object.fromEntries(
    Object.entries(PAUSES.find(store) ?? {}).filter(([, { until }]) =>
      until === null || Date.parse(until) > now.getTime()
    ),
  );
}

/** Pauses roles, also on a full disk. The pause replaces an earlier one of the same role. */
export function pauseRoles(store: Store, roles: readonly string[], pause: Pause): void {
  const isOver = ([, { until }]: [string, Pause]) =>
    until !== null && Date.parse(until) <= Date.parse(pause.since);
  withReserve(store, () =>
    change(store, (pauses) => ({
      ...without(pauses, isOver),
      ...Object.fromEntries(roles.map((role) => [role, pause])),
    })));
}

/** Ends the pauses of roles, also on a full disk. @returns the pauses that it ended, the expired ones included */
export function resumeRoles(store: Store, roles: readonly string[]): Pauses {
  return withReserve(
    store,
    () => change(store, (pauses) => without(pauses, ([role]) => roles.includes(role))),
  );
}

/** Replaces a damaged file, which pauses no role, so that not every reader warns of it. */
export function replaceDamagedPauses(store: Store): void {
  if (PAUSES.isDamaged(store)) PAUSES.update(store, {}, (pauses) => pauses);
}

/** Removes ended pauses, except those that an operator has replaced meanwhile. */
export function removePauses(store: Store, ended: Pauses): void {
  change(store, (pauses) => without(pauses, ([role, pause]) => isSame(pause, ended[role])));
}

function isSame(pause: Pause, other: Pause | undefined): boolean {
  return pause.since === other?.since && pause.until === other.until;
}

function without(pauses: Pauses, isRemoved: (entry: [string, Pause]) => boolean): Pauses {
  return Object.fromEntries(Object.entries(pauses).filter((entry) => !isRemoved(entry)));
}

/** @returns the entries that the change removed */
function change(store: Store, update: (pauses: Pauses) => Pauses): Pauses {
  let before: Pauses = {};
  const after = PAUSES.update(store, {}, (pauses) => update(before = pauses));
  return without(before, ([role]) => Object.hasOwn(after, role));
}
