import type { RunRecord } from "../store/history.ts";
import type { HistoryCursor, HistoryEntry } from "../store/history_cursor.ts";
import { findPublishedFiles } from "../store/published_files.ts";
import type { Store } from "../store/store.ts";
import { type NodeFacts, recordEvents } from "./make_events.ts";
import { BATCH_BYTES_MAX, BATCH_EVENTS_MAX, EVENT_TYPES } from "../wire/event_names.ts";
import type { ReportEvent } from "../wire/schema.ts";

/** A line of the history with its events. */
export interface ReportedEntry {
  /** The position in the history once the dashboard has these events. */
  readonly cursor: HistoryCursor;
  /** Each event as JSON; none for a line that has none. */
  readonly texts: readonly string[];
  /** The events without their lists of files, steps and log lines. */
  shortened(): string[];
}

/** Returns the entries that fit into one batch, with their events: at least one, if there is any. */
export function batchEntries(
  store: Store,
  facts: NodeFacts,
  entries: readonly HistoryEntry[],
): ReportedEntry[] {
  const batch: ReportedEntry[] = [];
  let [events, bytes] = [0, 0];
  for (const { record, cursor } of entries) {
    const entry = { cursor, ...recordTexts(store, facts, record) };
    events += entry.texts.length;
    bytes += bytesOf(entry.texts);
    if (batch.length > 0 && (events > BATCH_EVENTS_MAX || bytes > BATCH_BYTES_MAX)) break;
    batch.push(entry);
  }
  return batch;
}

/** Returns the events of a record, shortened where they do not fit into a batch. */
export function recordTexts(
  store: Store,
  facts: NodeFacts,
  record: RunRecord,
): Pick<ReportedEntry, "texts" | "shortened"> {
  const { outcome, release } = record;
  const list = outcome === "published" && release !== undefined
    ? findPublishedFiles(store, release)
    : undefined;
  const events = recordEvents(facts, record, list);
  const shortened = () => events.map((event) => JSON.stringify(withoutLists(event)));
  const whole = events.map((event) => JSON.stringify(event));
  return { texts: bytesOf(whole) > BATCH_BYTES_MAX ? shortened() : whole, shortened };
}

function withoutLists(event: ReportEvent): ReportEvent {
  switch (event.type) {
    case EVENT_TYPES.published:
      return { ...event, data: { ...event.data, files: [], filesLeftOut: event.data.filesTotal } };
    case EVENT_TYPES.finished: {
      const { steps: _steps, log: _log, pullRequests: _sentAsEvents, ...data } = event.data;
      return { ...event, data };
    }
    default:
      return event;
  }
}

const encoder = new TextEncoder();

/** Returns the size of texts in a JSON list. */
function bytesOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + encoder.encode(text).length + 1, 0);
}
