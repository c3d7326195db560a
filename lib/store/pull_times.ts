import { z } from "zod";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

/** When each source was last requested, for the minimum interval between two pulls. */
const STARTS = new RebuiltFile("starts.json", z.record(z.string(), z.iso.datetime()));

/** Each configured source has one entry. Only a configuration that changes every day fills the file; the oldest go. */
const STARTS_MAX = 50;

/** Returns when the last pull from a source started. */
export function findPullTime(store: Store, source: string): Date | undefined {
  const text = STARTS.find(store)?.[source];
  return text === undefined ? undefined : new Date(text);
}

export function rememberPullTime(store: Store, source: string, at: Date): void {
  const { [source]: _old, ...others } = STARTS.find(store) ?? {};
  const kept = Object.fromEntries(Object.entries(others).slice(-(STARTS_MAX - 1)));
  STARTS.replace(store, { ...kept, [source]: at.toISOString() });
}
