import { join } from "node:path";
import { z } from "zod";
import { replaceFile } from "../core/files.ts";
import { readState } from "./state_entries.ts";
import type { Store } from "./store.ts";

const DueTimes = z.record(z.string(), z.iso.datetime());

/** When a daemon's job was next due, as an earlier daemon wrote it down; what makes a missed run visible. */
export function findDueTime(store: Store, job: string): Date | undefined {
  const text = read(store)[job];
  return text === undefined ? undefined : new Date(text);
}

export function rememberDueTime(store: Store, job: string, due: Date): void {
  replaceFile(store.fs, path(store), `${JSON.stringify({ ...read(store), [job]: due.toISOString() })}\n`);
}

function path(store: Store): string {
  return join(store.root, "schedule.json");
}

function read(store: Store): z.infer<typeof DueTimes> {
  return readState(store, "schedule.json", DueTimes) ?? {};
}
