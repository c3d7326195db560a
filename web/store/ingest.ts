import { EVENT_TYPES, nodeOf } from "../../lib/reporting/event_names.ts";
import type { EventOf, ReportEvent } from "../../lib/reporting/wire.ts";
import type { Web } from "../web.ts";
import { compareAndSet, writeAll } from "./commit.ts";
import { eventWrites, reportedActivation, type Write } from "./event_writes.ts";
import { ingestCanary } from "./ingest_canary.ts";
import { ingestPullRequests } from "./ingest_pull_requests.ts";
import { ingestReleases } from "./ingest_releases.ts";
import { inTurn } from "./in_turn.ts";
import { keys, shardOf } from "./keys.ts";
import { longValueWrites } from "./long_value.ts";
import { reduceNode, unreportedNode } from "./reduce_node.ts";
import { NodeRow } from "./rows.ts";

/**
 * Takes events into the database. Every event may come again, at any time and in any order: the result is the same. What
 * an event says is written before the node's row, so that a request that is cut short is completed by its resend.
 *
 * @throws {Error} when the database refuses writes
 */
export async function ingest(
  { kv, clock }: Pick<Web, "kv" | "clock">,
  events: readonly ReportEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const receivedAt = clock.now().toISOString();
  await writeAll(kv, events.flatMap(eventWrites));
  await ingestReleases(kv, events);
  await ingestPullRequests(kv, events);
  for (const [node, ofNode] of Map.groupBy(events, ({ source }) => nodeOf(source))) {
    await inTurn(`node ${node}`, () => ingestNode(kv, node, ofNode, receivedAt));
  }
}

async function ingestNode(
  kv: Deno.Kv,
  node: string,
  events: readonly ReportEvent[],
  receivedAt: string,
): Promise<void> {
  const heartbeat = newestHeartbeat(events);
  if (heartbeat !== undefined) await ingestCanary(kv, node, heartbeat);
  await compareAndSet(async () => {
    const entry = await kv.get(keys.node(node));
    const before = NodeRow.safeParse(entry.value).data ?? unreportedNode(node);
    const after = events.reduce((row, event) => reduceNode(row, event, receivedAt), before);
    const operation = kv.atomic()
      .set(keys.node(node), after)
      .set(keys.pulse(shardOf(node)), node);
    for (const { key, value } of heartbeatWrites(node, heartbeat, before, after)) operation.set(key, value);
    forgetLifted(operation, node, before, after);
    if (before.firstReceivedAt === null) await forgetAnnounced(kv, operation, node);
    return { guards: [entry], operation };
  });
}

function newestHeartbeat(events: readonly ReportEvent[]): EventOf<"heartbeat"> | undefined {
  const heartbeats = events.filter((event): event is EventOf<"heartbeat"> =>
    event.type === EVENT_TYPES.heartbeat
  );
  return heartbeats.toSorted((a, b) => Date.parse(b.time) - Date.parse(a.time))[0];
}

/** What a heartbeat that became the node's newest says beside the row. */
function heartbeatWrites(
  node: string,
  heartbeat: EventOf<"heartbeat"> | undefined,
  before: NodeRow,
  after: NodeRow,
): (Pick<Write, "key" | "value">)[] {
  if (heartbeat === undefined || after.report === null || after.report.at === before.report?.at) return [];
  const { data, time } = heartbeat;
  const known = new Set(before.report?.quarantine);
  const { quarantine } = data.status;
  const isNewActivation = after.activation !== null && after.activation.at !== before.activation?.at;
  return [
    ...longValueWrites(keys.heartbeat(node), data),
    ...(isNewActivation ? reportedActivation(node, data.status) : []),
    ...quarantine.filter(({ digest }) => !known.has(digest)).map(({ digest, reason, at }) => ({
      key: keys.quarantine(digest, node),
      value: { node, reason, at, saidAt: time },
    })),
  ];
}

/** What left the quarantine since the last heartbeat. */
function forgetLifted(operation: Deno.AtomicOperation, node: string, before: NodeRow, after: NodeRow): void {
  const kept = new Set(after.report?.quarantine);
  for (const digest of before.report?.quarantine ?? []) {
    if (!kept.has(digest)) operation.delete(keys.quarantine(digest, node));
  }
}

/** A node that has a token is expected under the token's name, and may report under one below it. */
async function forgetAnnounced(kv: Deno.Kv, operation: Deno.AtomicOperation, node: string): Promise<void> {
  const name = node.slice(0, node.lastIndexOf("/"));
  if (name === "" || !node.includes("/")) return;
  const entry = await kv.get(keys.node(name));
  const announced = NodeRow.safeParse(entry.value).data;
  if (announced === undefined || announced.firstReceivedAt !== null) return;
  operation.check(entry).delete(keys.node(name)).set(keys.pulse(shardOf(name)), name);
}
