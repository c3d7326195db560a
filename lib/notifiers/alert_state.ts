import { z } from "zod";
import type { FileSystem } from "../core/files.ts";
import { StateFile } from "../core/state_file.ts";
import { replaceOrOverwrite } from "../core/overwrite_file.ts";
import { HistoryCursor } from "../store/history_cursor.ts";
import { AlertMemory } from "./alert_memory.ts";

const ChannelState = z.object({
  /** Up to which run the channel was notified. */
  cursor: HistoryCursor.optional(),
  failing: AlertMemory,
});
/** What a channel was notified of. */
export type ChannelState = Readonly<z.infer<typeof ChannelState>>;

const AlertState = z.object({
  schema: z.literal(2),
  /** By the channel's {@link Channel.id}. */
  channels: z.record(z.string(), ChannelState),
});

/** Channels that were configured once; more are forgotten, oldest first. */
const CHANNELS_MAX = 100;

/** What every channel was notified of. */
export interface AlertState {
  readonly channels: ReadonlyMap<string, ChannelState>;
  /** The failures that an earlier version remembered for all channels together. */
  readonly earlier: AlertMemory;
}

/** Damage costs that an alert is sent twice, or that of a run that was killed just before not at all. */
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
  // On a full disk as well: otherwise each run would send the alert that says so again.
  replaceOrOverwrite(fs, path, JSON.stringify(state, undefined, 2));
}
