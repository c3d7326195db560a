import * as z from "zod";
import { CleanString } from "../core/clean_string.ts";
import { withReserve } from "./reserve.ts";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

/** How a requested run ended. */
const RunEnd = z.object({
  exitCode: z.number(),
  message: CleanString.optional(),
  hint: CleanString.optional(),
});
export type RunEnd = Readonly<z.infer<typeof RunEnd>>;

const RunRequest = z.object({
  id: CleanString,
  at: z.iso.datetime(),
  /** The machine on which it was requested. */
  host: CleanString,
  /** When the daemon started the run; the request waits until then. */
  takenAt: z.iso.datetime().optional(),
  end: RunEnd.optional(),
});
/** A run that an operator has requested from a daemon. */
export type RunRequest = Readonly<z.infer<typeof RunRequest>>;

/** The newest request of a role in each state: an operator may wait for any of them. */
const RoleRequests = z.object({
  waiting: RunRequest.optional(),
  started: RunRequest.optional(),
  ended: RunRequest.optional(),
});
type RoleRequests = Readonly<z.infer<typeof RoleRequests>>;

const REQUESTS = new RebuiltFile<Readonly<Record<string, RoleRequests>>>(
  "run_now.json",
  z.record(z.string(), RoleRequests),
);

/** Returns the path of the file, for readers that check whether it changed. */
export function runRequestsPath(store: Pick<Store, "root">): string {
  return REQUESTS.path(store);
}

/** Returns the request of a role that no daemon has started. */
export function findWaitingRequest(store: Store, role: string): RunRequest | undefined {
  return REQUESTS.find(store)?.[role]?.waiting;
}

/** Returns a request with its state; `undefined` once newer requests have replaced it. */
export function findRunRequest(store: Store, role: string, id: string): RunRequest | undefined {
  return Object.values(REQUESTS.find(store)?.[role] ?? {}).find((request) => request?.id === id);
}

/** Requests a run, also on a full disk, unless a request of the role is waiting already. @returns the waiting request */
export function requestRun(store: Store, role: string, request: RunRequest): RunRequest {
  const add = (requests: RoleRequests) => ({ ...requests, waiting: requests.waiting ?? request });
  return withReserve(store, () => change(store, role, add)).waiting ?? request;
}

/** Marks the waiting request of a role as started. */
export function takeRunRequest(store: Store, role: string, now: Date): void {
  const start = (requests: RoleRequests) => {
    const { waiting, ...others } = requests;
    return waiting === undefined
      ? requests
      : { ...others, started: { ...waiting, takenAt: now.toISOString() } };
  };
  withReserve(store, () => change(store, role, start));
}

/** Writes down how the run of a request ended. Without an id, of the started request of the role. */
export function endRunRequest(store: Store, role: string, end: RunEnd, id?: string): void {
  const finish = (requests: RoleRequests) => {
    const { started, ...others } = requests;
    if (started === undefined || (id !== undefined && started.id !== id)) return requests;
    return { ...others, ended: { ...started, end } };
  };
  // On a full disk, too: an operator may be waiting for it.
  withReserve(store, () => change(store, role, finish));
}

/** Removes the waiting request if it is older than `since`. @returns the removed request */
export function dropOldRequest(store: Store, role: string, since: Date): RunRequest | undefined {
  let dropped: RunRequest | undefined;
  change(store, role, (requests) => {
    const { waiting, ...others } = requests;
    if (waiting === undefined || Date.parse(waiting.at) >= since.getTime()) return requests;
    dropped = waiting;
    return others;
  });
  return dropped;
}

function change(
  store: Store,
  role: string,
  update: (requests: RoleRequests) => RoleRequests,
): RoleRequests {
  const all = REQUESTS.update(store, {}, (requests) => {
    const before = requests[role] ?? {};
    const after = update(before);
    return after === before ? requests : { ...requests, [role]: after };
  });
  return all[role] ?? {};
}
