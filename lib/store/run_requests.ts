import { join } from "node:path";
import { z } from "zod";
import { CleanString } from "../core/clean_string.ts";
import { replaceFile } from "../core/files.ts";
import { whileLocked } from "../core/while_locked.ts";
import { readState } from "./state_entries.ts";
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
/** A run that an operator requests of a daemon. The newest one of each role is kept until the next. */
export type RunRequest = Readonly<z.infer<typeof RunRequest>>;

const RunRequests = z.record(z.string(), RunRequest);
type RunRequests = Readonly<Record<string, RunRequest>>;

/** Returns the path of the file, for readers that check whether it changed. */
export function runRequestsPath(store: Pick<Store, "root">): string {
  return join(store.root, "run_now.json");
}

/** Returns the newest request of a role, whatever became of it. */
export function findRunRequest(store: Store, role: string): RunRequest | undefined {
  return read(store)[role];
}

/** Requests a run. A request of the role that waits already stands for both. @returns the one that waits */
export function requestRun(store: Store, role: string, request: RunRequest): RunRequest {
  return change(store, role, (found) => isWaiting(found) ? found : request) ?? request;
}

/** Takes the request that waits, to start its run. @returns it, if there is one */
export function takeRunRequest(store: Store, role: string, now: Date): RunRequest | undefined {
  let taken: RunRequest | undefined;
  change(store, role, (found) => {
    if (!isWaiting(found)) return found;
    taken = { ...found, takenAt: now.toISOString() };
    return taken;
  });
  return taken;
}

/** Writes down how the run of a request ended, unless the role has a newer request by now. */
export function endRunRequest(store: Store, role: string, id: string, end: RunEnd): void {
  change(store, role, (found) => found?.id === id ? { ...found, end } : found);
}

/** Removes a request that waits since before `since`. @returns it, if there was one */
export function dropOldRunRequest(store: Store, role: string, since: Date): RunRequest | undefined {
  let dropped: RunRequest | undefined;
  change(store, role, (found) => {
    if (!isWaiting(found) || Date.parse(found.at) >= since.getTime()) return found;
    dropped = found;
    return undefined;
  });
  return dropped;
}

function isWaiting(request: RunRequest | undefined): request is RunRequest {
  return request !== undefined && request.takenAt === undefined;
}

function change(
  store: Store,
  role: string,
  update: (found: RunRequest | undefined) => RunRequest | undefined,
): RunRequest | undefined {
  const path = runRequestsPath(store);
  return whileLocked(store.fs, path, () => {
    const { [role]: found, ...others } = read(store);
    const updated = update(found);
    if (updated !== found) {
      const requests: RunRequests = updated === undefined ? others : { ...others, [role]: updated };
      replaceFile(store.fs, path, `${JSON.stringify(requests)}\n`);
    }
    return updated;
  });
}

function read(store: Store): RunRequests {
  return readState(store, "run_now.json", RunRequests) ?? {};
}
