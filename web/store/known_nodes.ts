import { committed } from "./commit.ts";
import { isNodeKey, keys, shardOf } from "./keys.ts";
import { unreportedNode } from "./reduce_node.ts";
import { NodeRow } from "./rows.ts";

/**
 * Attempts against concurrent writers. After the last one, the node is missing from the list until it reports, which is
 * harmless.
 */
const ATTEMPTS_MAX = 10;

/**
 * Adds a node that has a token to the fleet as "never reported". Does nothing if the node exists, or a node below its
 * name: a machine may report as `NAME/client` and `NAME/publisher` and never as NAME.
 */
export async function announceNode(kv: Deno.Kv, node: string): Promise<void> {
  if (await hasNodeBelow(kv, node)) return;
  const key = keys.node(node);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if ((await kv.get(key)).versionstamp !== null) return;
    const operation = kv.atomic()
      .check({ key, versionstamp: null })
      .set(key, unreportedNode(node))
      .set(keys.pulse(shardOf(node)), node);
    if (await committed(operation)) break;
  }
  // The node may have reported during the check.
  if (await hasNodeBelow(kv, node)) await withdrawNode(kv, node);
}

/** Removes a node that has never reported. Does nothing to other nodes. */
export async function withdrawNode(kv: Deno.Kv, node: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const entry = await kv.get(keys.node(node));
    const row = NodeRow.safeParse(entry.value);
    if (!row.success || row.data.firstReceivedAt !== null) return;
    const operation = kv.atomic().check(entry).delete(entry.key).set(keys.pulse(shardOf(node)), node);
    if (await committed(operation)) return;
  }
}

/** Returns whether the fleet has a node of this name. */
export async function isKnownNode(kv: Deno.Kv, node: string): Promise<boolean> {
  return isNodeKey(node) && (await kv.get(keys.node(node))).versionstamp !== null;
}

/** Reads every node, because nodes are sharded by their whole name. Called only when a token is created. */
async function hasNodeBelow(kv: Deno.Kv, node: string): Promise<boolean> {
  for await (const { key } of kv.list({ prefix: keys.nodes() })) {
    const other = key.at(-1);
    if (typeof other === "string" && other.startsWith(`${node}/`)) return true;
  }
  return false;
}

/** Returns whether a node has reported and has not been removed since. */
export async function hasReported(kv: Deno.Kv, node: string): Promise<boolean> {
  if (!isNodeKey(node)) return false;
  const { value } = await kv.get(keys.node(node));
  return (NodeRow.safeParse(value).data?.firstReceivedAt ?? null) !== null;
}
