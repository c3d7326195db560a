import { join } from "node:path";
import { z } from "zod";
import { replaceFile } from "../core/files.ts";
import { SEQUENCE_MAX } from "../release/manifest.ts";
import { readState } from "./state_entries.ts";
import type { Store } from "./store.ts";

const Archived = z.object({ sequence: z.number().int().min(0).max(SEQUENCE_MAX) });

/**
 * The sequence of the next archive that this machine writes. Whoever only writes archives has no registry that could
 * count for it, and a new machine for every training has no memory either: so it is the time in seconds, which grows
 * from machine to machine, and at least one more than this machine's last, should its clock have gone back.
 */
export function nextArchiveSequence(store: Store, now: Date): number {
  return Math.min(SEQUENCE_MAX, Math.max(read(store) + 1, Math.floor(now.getTime() / 1000)));
}

export function rememberArchiveSequence(store: Store, sequence: number): void {
  replaceFile(store.fs, path(store), `${JSON.stringify({ sequence })}\n`);
}

function read(store: Store): number {
  return readState(store, "archived.json", Archived)?.sequence ?? 0;
}

function path(store: Store): string {
  return join(store.root, "archived.json");
}
