import { nodeOf } from "../../lib/wire/event_names.ts";
import { type EventOf, Heartbeat } from "../../lib/wire/schema.ts";
import type { Write } from "./commit.ts";
import { reportedActivation } from "./event_writes.ts";
import { isNodeKey, keys } from "./keys.ts";
import { longValueWrites, readLongValue } from "./long_value.ts";
import type { NodeRow, QuarantineNote } from "./rows.ts";
import { keptQuarantine, knownTime, QUARANTINE_MAX, reason, utc } from "./row_values.ts";

/** Upper bound of a note with its key, node and reason. */
const NOTE_BYTES = 4_000;

/** Returns the writes of a node's newest heartbeat, besides the node's row. */
export function heartbeatWrites(
  heartbeat: EventOf<"heartbeat">,
  before: NodeRow,
  after: NodeRow,
): Write[] {
  const { data, source } = heartbeat;
  const node = nodeOf(source);
  return [
    ...longValueWrites(keys.heartbeat(node), data),
    ...(isOfHeartbeat(heartbeat, before, after) ? reportedActivation(node, after.activation) : []),
    ...quarantineWrites(heartbeat, before),
    ...liftedQuarantines(before, after).map((digest) => ({
      key: keys.quarantine(digest, node),
      value: undefined,
      bytes: NOTE_BYTES,
    })),
  ];
}

type Activated = NodeRow & { readonly activation: NonNullable<NodeRow["activation"]> };

/** Whether only this heartbeat reports the node's last activation. A run would date it by its end. */
function isOfHeartbeat(
  { data, time }: EventOf<"heartbeat">,
  before: NodeRow,
  after: NodeRow,
): after is Activated {
  const { activation } = after;
  if (activation === null || activation.at === before.activation?.at) return false;
  if (activation.digest !== data.status.current?.digest) return false;
  return activation.at === knownTime(data.status.activatedAt) || activation.at === utc(time);
}

function quarantineWrites({ data, source, time }: EventOf<"heartbeat">, before: NodeRow): Write[] {
  const node = nodeOf(source);
  const known = new Set(before.report?.quarantine);
  return keptQuarantine(data.status).filter(({ digest }) => !known.has(digest)).map((entry) => {
    const saidAt = utc(time);
    const note: QuarantineNote = {
      node,
      reason: reason(entry.reason),
      at: knownTime(entry.at) ?? saidAt,
      saidAt,
    };
    return { key: keys.quarantine(entry.digest, node), value: note, bytes: NOTE_BYTES };
  });
}

/**
 * Returns the digests that left the quarantine since the last heartbeat. Heartbeats list only the newest entries: old
 * entries that are missing when new ones appear were displaced, not released.
 */
function liftedQuarantines(before: NodeRow, after: NodeRow): string[] {
  const [named = [], kept = new Set()] = [before.report?.quarantine, new Set(after.report?.quarantine)];
  const stayed = named.filter((digest) => kept.has(digest)).length;
  const arrived = kept.size - stayed;
  const isWindow = kept.size >= QUARANTINE_MAX && arrived > 0;
  const firstKept = isWindow ? named.findIndex((digest) => kept.has(digest)) : 0;
  return named.slice(Math.max(0, firstKept)).filter((digest) => !kept.has(digest));
}

/** Returns the data of a node's newest heartbeat; `undefined` if there is none. */
export async function readHeartbeat(kv: Deno.Kv, node: string): Promise<Heartbeat | undefined> {
  return isNodeKey(node) ? await readLongValue(kv, keys.heartbeat(node), Heartbeat) : undefined;
}
