/**
 * The names and bounds of the wire format. A node that reports loads only these: loading the schema would take a third
 * of the time that reporting adds to a run.
 */

/** The types of events. */
export const EVENT_TYPES = {
  started: "model-sync.run.started.v1",
  finished: "model-sync.run.finished.v1",
  published: "model-sync.release.published.v1",
  pullRequest: "model-sync.pull-request.v1",
  heartbeat: "model-sync.heartbeat.v1",
} as const;

/** The content type of a batch. */
export const BATCH_CONTENT_TYPE = "application/cloudevents-batch+json";

/**
 * The largest batch that a node sends: half of what a dashboard should accept. A larger event goes without its lists.
 */
export const BATCH_BYTES_MAX = 512 * 1024;
/** The most events of a batch. A month with a run every minute needs 87 batches, with events of 1 KiB. */
export const BATCH_EVENTS_MAX = 500;
/** The most files that an event lists. `filesLeftOut` counts the rest. */
export const LISTED_FILES_MAX = 2_000;

/**
 * Returns the `source` of a node's events: its name as a relative URI reference.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { nodeOf, sourceOf } from "./event_names.ts";
 * assert.equal(sourceOf("bot 1/client"), "bot%201/client");
 * assert.equal(nodeOf("bot%201/client"), "bot 1/client");
 * ```
 */
export function sourceOf(node: string): string {
  return node.toWellFormed().split("/").map(encodeURIComponent).join("/");
}

/** Returns the name of the node of a `source`. */
export function nodeOf(source: string): string {
  return decodeURIComponent(source);
}
