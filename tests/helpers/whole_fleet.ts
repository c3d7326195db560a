import assert from "node:assert/strict";
import {
  type FleetBatch,
  type FleetOptions,
  simulateFleet,
} from "../../configs/demo/fleet/simulate_fleet.ts";
import { EVENT_TYPES, nodeOf } from "../../lib/wire/event_names.ts";
import type { EventOf, ReportEvent } from "../../lib/wire/schema.ts";

/** The event type of a name. */
type Named = { readonly [Kind in "started" | "finished" | "published" | "heartbeat"]: EventOf<Kind> };

function isOf<Kind extends keyof Named>(kind: Kind, event: ReportEvent): event is Named[Kind] & ReportEvent {
  return event.type === EVENT_TYPES[kind];
}

/** A simulated fleet with all its events. */
export class WholeFleet {
  readonly batches: readonly FleetBatch[];
  readonly events: readonly ReportEvent[];
  readonly now: Date;

  constructor(options: FleetOptions) {
    this.batches = [...simulateFleet(options)];
    this.events = this.batches.flatMap(({ events }) => events);
    this.now = options.now;
  }

  /** Returns a node's events of a type, oldest first. */
  of<Kind extends keyof Named>(kind: Kind, node?: string): Named[Kind][] {
    const found: Named[Kind][] = [];
    for (const event of this.events) {
      if (isOf(kind, event) && (node === undefined || nodeOf(event.source) === node)) found.push(event);
    }
    return found;
  }

  /** Returns a node's runs with an outcome. */
  runs(node: string, outcome: string): EventOf<"finished">["data"][] {
    return this.of("finished", node).map(({ data }) => data).filter((run) => run.outcome === outcome);
  }

  lastRun(node: string): EventOf<"finished">["data"] {
    const run = this.of("finished", node).at(-1)?.data;
    assert.ok(run !== undefined, `${node} ran`);
    return run;
  }

  lastHeartbeat(node: string): EventOf<"heartbeat"> {
    const heartbeat = this.of("heartbeat", node).at(-1);
    assert.ok(heartbeat !== undefined, `${node} sends heartbeats`);
    return heartbeat;
  }

  /** Returns the number of published releases that are newer than the active one of a node. */
  behind(node: string, publisher: string): number {
    const newest = this.of("published", publisher).at(-1)?.data.sequence;
    const active = this.of("finished", node).findLast(({ data }) => data.outcome === "activated")?.data
      .sequence;
    assert.ok(newest !== undefined && active !== undefined);
    return newest - active;
  }

  /** Returns the time between an event and the end of the simulation, in hours. */
  hoursAgo(time: string | null | undefined): number {
    assert.ok(typeof time === "string");
    return (this.now.getTime() - Date.parse(time)) / 3_600_000;
  }
}
