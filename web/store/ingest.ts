import { EVENT_TYPES, nodeOf } from "../../lib/wire/event_names.ts";
import type { EventOf, ReportEvent } from "../../lib/wire/schema.ts";
import type { Web } from "../shared/web.ts";
import { addWrites, compareAndSet, inTurn, writeAll } from "./commit.ts";
import { eventWrites } from "./event_writes.ts";
import { heartbeatWrites } from "./heartbeats.ts";
import { nextCourse } from "./canary_course.ts";
import { ingestPullRequests } from "./pull_request_rows.ts";
import { ingestReleases } from "./ingest_releases.ts";
import { keys, shardOf } from "./keys.ts";
import { reduceNode, unreportedNode } from "./reduce_node.ts";
import { NodeRow } from "./rows.ts";
import { utc } from "./row_values.ts";

/**
 * Stores events. Events may be repeated, at any time and in any order: the result is the same. The node's row is
 * written last, so that a resend completes a request that was cut off.
 *
 * @throws what the database throws when it refuses writes: see [kv_failure.ts](kv_failure.ts)
 */
export async function ingest(
  { kv, clock }: Pick<Web, "kv" | "clock">,
  events: readonly ReportEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const receivedAt = clock.now().toISOString();
  await writeAll(kv, events.values().map(eventWrites));
  await ingestReleases(kv, events);
  await ingestPullRequests(kv, events);
  for (const [node, ofNode] of Map.groupBy(events, ({ source }) => nodeOf(source))) {
    await inTurn(`node ${node}`, () => ingestNode(kv, node, ofNode, receivedAt));
  }
}

/** Updates the node's row together with the data of its newest heartbeat. */
async function ingestNode(
  kv: Deno.Kv,
  node: string,
  events: readonly ReportEvent[],
  receivedAt: string,
): Promise<void> {
  const heartbeat = newestHeartbeat(events);
  const canary = heartbeat?.data.status.canary ?? null;
  await compareAndSet(async () => {
    const entry = await kv.get(keys.node(node));
    const before = NodeRow.safeParse(entry.value).data ?? unreportedNode(node);
    const after = events.reduce((row, event) => reduceNode(row, event, receivedAt), before);
    if (after === before) return undefined;
    const guards: Deno.KvEntryMaybe<unknown>[] = [entry];
    const operation = kv.atomic().set(keys.node(node), after).set(keys.pulse(shardOf(node)), node);
    const isNewest = heartbeat !== undefined && after.report !== before.report &&
      after.report?.at === utc(heartbeat.time);
    if (isNewest) {
      addWrites(operation, heartbeatWrites(heartbeat, before, after));
      if (canary !== null) {
        const course = await kv.get(keys.canary(canary.digest, node));
        guards.push(course);
        operation.set(course.key, nextCourse(course.value, canary, node, utc(heartbeat.time)));
      }
    }
    if (before.firstReceivedAt === null) await removeAnnounced(kv, operation, node);
    return { guards, operation };
  });
}

function newestHeartbeat(events: readonly ReportEvent[]): EventOf<"heartbeat"> | undefined {
  let newest: EventOf<"heartbeat"> | undefined;
  for (const event of events) {
    if (event.type !== EVENT_TYPES.heartbeat) continue;
    if (newest === undefined || utc(event.time) > utc(newest.time)) newest = event;
  }
  return newest;
}

/** Removes the "never reported" entry of the token's name when a node below that name reports. */
async function removeAnnounced(kv: Deno.Kv, operation: Deno.AtomicOperation, node: string): Promise<void> {
  const name = node.slice(0, node.lastIndexOf("/"));
  if (name === "" || !node.includes("/")) return;
  const entry = await kv.get(keys.node(name));
  const announced = NodeRow.safeParse(entry.value).data;
  if (announced === undefined || announced.firstReceivedAt !== null) return;
  operation.check(entry).delete(keys.node(name)).set(keys.pulse(shardOf(name)), name);
}
