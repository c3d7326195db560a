import { EVENT_TYPES } from "./event_names.ts";
import { Envelope, ReportEvent } from "./schema.ts";

/** The events of a batch, and the counts of the rest. */
export interface ParsedBatch {
  /** In the order of the batch. */
  readonly events: readonly ReportEvent[];
  /** The number of events with types that this version does not know: a newer node sent them. */
  readonly unknownTypes: number;
  /** The number of items that are not events, or do not fit their type. */
  readonly invalid: number;
}

/** Reads a batch. Never throws: anything but a list counts as one invalid event. The caller checks the size. */
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
