import type { ReportEvent } from "../../lib/wire/schema.ts";
import { reduceNode, unreportedNode } from "../../web/store/reduce_node.ts";
import type { NodeRow } from "../../web/store/rows.ts";

/** Returns the row of a node whose events arrive a second after they happened. */
export function rowOf(node: string, ...events: readonly ReportEvent[]): NodeRow {
  return events.reduce(
    (row, event) => reduceNode(row, event, laterBy(event.time, 1_000)),
    unreportedNode(node),
  );
}

/** Returns the row of a node whose clock is ahead by some milliseconds. */
export function skewedRowOf(node: string, aheadMs: number, ...events: readonly ReportEvent[]): NodeRow {
  return events.reduce(
    (row, event) => reduceNode(row, event, laterBy(event.time, -aheadMs)),
    unreportedNode(node),
  );
}

export function laterBy(time: string, ms: number): string {
  return new Date(Date.parse(time) + ms).toISOString();
}

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
