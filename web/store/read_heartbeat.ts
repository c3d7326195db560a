import { Heartbeat } from "../../lib/reporting/wire.ts";
import { isNodeKey } from "./key_limits.ts";
import { keys } from "./keys.ts";
import { readLongValue } from "./long_value.ts";

/** Returns what a node's newest heartbeat said; `undefined` where it has sent none. */
export async function readHeartbeat(kv: Deno.Kv, node: string): Promise<Heartbeat | undefined> {
  return isNodeKey(node) ? await readLongValue(kv, keys.heartbeat(node), Heartbeat) : undefined;
}
