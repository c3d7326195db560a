import { join } from "node:path";
import { z } from "zod";
import { replaceFile } from "../core/files.ts";
import { readState } from "./state_entries.ts";
import type { Store } from "./store.ts";

const Starts = z.record(z.string(), z.iso.datetime());

/** One a source; whoever has more changes the configuration every day. */
const STARTS_MAX = 50;

/** When a source was last asked, so that it is not asked too often. */
export function findStart(store: Store, source: string): Date | undefined {
  const text = read(store)[source];
  return text === undefined ? undefined : new Date(text);
}

export function rememberStart(store: Store, source: string, at: Date): void {
  const { [source]: _old, ...others } = read(store);
  const kept = Object.fromEntries(Object.entries(others).slice(-(STARTS_MAX - 1)));
  replaceFile(store.fs, path(store), `${JSON.stringify({ ...kept, [source]: at.toISOString() })}\n`);
}

function path(store: Store): string {
  return join(store.root, "starts.json");
}

function read(store: Store): z.infer<typeof Starts> {
  return readState(store, "starts.json", Starts) ?? {};
}
