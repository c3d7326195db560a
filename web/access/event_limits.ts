import { formatBytes } from "../../lib/core/format.ts";
import { EVENTS_BYTES_MAX } from "./read_body.ts";

/** Events that one request may hold: twice what a node sends (`BATCH_EVENTS_MAX`). */
export const EVENTS_MAX = 1_000;

/** What one request of events may hold. */
export const EVENT_LIMITS = { events: EVENTS_MAX, bytes: EVENTS_BYTES_MAX } as const;

/** What to do about a request that holds more. */
export const SEND_LESS = `send at most ${EVENTS_MAX} events and ${formatBytes(EVENTS_BYTES_MAX)} at once`;
