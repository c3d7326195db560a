import { EVENT_TYPES } from "./event_names.ts";
import { Envelope, ReportEvent } from "./schema.ts";

/** What a batch holds. */
export interface ParsedBatch {
  /** In the order of the batch. */
  readonly events: readonly ReportEvent[];
  /** Events of types that this version does not know: a newer node sends them. */
  readonly unknownTypes: number;
  /** What is not an event, or not one of its type. */
  readonly invalid: number;
}

/** Reads a batch and never throws: what is not a list counts as one invalid event. Bounds are the caller's. */
export function parseBatch(json: unknown): ParsedBatch {
  if (!Array.isArray(json)) return { events: [], unknownTypes: 0, invalid: 1 };
  const known: readonly string[] = Object.values(EVENT_TYPES);
  const events: ReportEvent[] = [];
  let [unknownTypes, invalid] = [0, 0];
  for (const item of json) {
    const event = ReportEvent.safeParse(item);
    if (event.success) {
      events.push(event.data);
      continue;
    }
    const envelope = Envelope.safeParse(item);
    if (envelope.success && !known.includes(envelope.data.type)) unknownTypes++;
    else invalid++;
  }
  return { events, unknownTypes, invalid };
}
