/**
 * The names and numbers of the wire format. A node that reports needs no more: it loads no schema, which would take a
 * third of the time that reporting adds to a run.
 */

/** The types of events, by what they tell. */
export const EVENT_TYPES = {
  started: "model-sync.run.started.v1",
  finished: "model-sync.run.finished.v1",
  published: "model-sync.release.published.v1",
  pullRequest: "model-sync.pull-request.v1",
  heartbeat: "model-sync.heartbeat.v1",
} as const;

/** The content type of a batch. */
export const BATCH_CONTENT_TYPE = "application/cloudevents-batch+json";

/** The largest batch that a node sends: half of what a page should take. A larger event is sent without its file list. */
export const BATCH_BYTES_MAX = 512 * 1024;
/** A month of a run every minute takes 87 batches, as long as events take 1 KiB each. */
export const BATCH_EVENTS_MAX = 500;
/** The files that an event lists. What a release has beyond them is counted in `filesLeftOut`. */
export const LISTED_FILES_MAX = 2_000;

/**
 * Returns the source of a node's events: its name as a relative URI reference.
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

/** Returns the name of the node that a source names. */
export function nodeOf(source: string): string {
  return decodeURIComponent(source);
}
