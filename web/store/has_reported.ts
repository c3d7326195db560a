import { isNodeKey } from "./key_limits.ts";
import { keys } from "./keys.ts";
import { NodeRow } from "./rows.ts";

/** Returns whether a node is known from its own events, and no operator has removed it since. */
export async function hasReported(kv: Deno.Kv, node: string): Promise<boolean> {
  if (!isNodeKey(node)) return false;
  const { value } = await kv.get(keys.node(node));
  return (NodeRow.safeParse(value).data?.firstReceivedAt ?? null) !== null;
}
