import * as z from "zod";
import type { FileSystem } from "../core/files.ts";
import { StateFile } from "../core/state_file.ts";
import { replaceOrOverwrite } from "../core/overwrite_file.ts";
import { HistoryCursor } from "../store/history_cursor.ts";
import { AlertMemory } from "./alert_memory.ts";

const ChannelState = z.object({
  /** The last run whose alert the channel got. */
  cursor: HistoryCursor.optional(),
  failing: AlertMemory,
});
/** The progress of one channel. */
export type ChannelState = Readonly<z.infer<typeof ChannelState>>;

const AlertState = z.object({
  schema: z.literal(2),
  /** By the key of the channel. */
  channels: z.record(z.string(), ChannelState),
});

/** The bound of remembered channels, also of removed ones. The oldest are forgotten first. */
const CHANNELS_MAX = 100;

/** The progress of all channels. */
export interface AlertState {
  readonly channels: ReadonlyMap<string, ChannelState>;
  /** The failures that an earlier version remembered for all channels together. */
  readonly earlier: AlertMemory;
}

/** Reads the state. After damage, an alert may be sent twice, and one of a run that was just killed not at all. */
export function readAlertState(fs: FileSystem, path: string): AlertState {
  const read = new StateFile(fs, path, z.union([AlertState, AlertMemory])).read();
  if (read.kind !== "found") return { channels: new Map(), earlier: {} };
  const known = AlertState.safeParse(read.value);
  if (known.success) return { channels: new Map(Object.entries(known.data.channels)), earlier: {} };
  const earlier = AlertMemory.safeParse(read.value);
  return { channels: new Map(), earlier: earlier.success ? earlier.data : {} };
}

export function writeAlertState(
  fs: FileSystem,
  path: string,
  channels: ReadonlyMap<string, ChannelState>,
): void {
  const kept = Object.fromEntries([...channels].slice(-CHANNELS_MAX));
  const state: z.infer<typeof AlertState> = { schema: 2, channels: kept };
  // Written on a full disk, too: otherwise each run would repeat the alert of the full disk.
  replaceOrOverwrite(fs, path, JSON.stringify(state, undefined, 2));
}
