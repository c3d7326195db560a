import { FleetMemory } from "../../web/store/fleet_memory.ts";
import { ingest } from "../../web/store/ingest.ts";
import { openIncidents, readIncidents } from "../../web/store/incident_rows.ts";
import type { IncidentRow } from "../../web/store/rows.ts";
import type { Alerting } from "../../web/incidents/alerting.ts";
import { watchIncidents } from "../../web/incidents/watch_incidents.ts";
import { alertContext, alerts } from "./alert_world.ts";
import type { FakeClock } from "./fake_clock.ts";
import { type RecordedLog, recordedLog } from "./test_context.ts";
import * as events from "./web_events.ts";

/** The time at which a test starts. */
const WATCH_BEGINS = "2026-11-29T07:00:00.000Z";

const MINUTE_MS = 60_000;

/** A dashboard whose nodes report and are checked every minute, by a clock of the test. */
export class WatchedFleet {
  readonly kv: Deno.Kv;
  readonly clock: FakeClock;
  readonly log: RecordedLog = recordedLog();
  readonly fleet: FleetMemory;

  constructor(kv: Deno.Kv, clock: FakeClock) {
    this.kv = kv;
    this.clock = clock;
    this.fleet = new FleetMemory(kv);
  }

  get now(): string {
    return this.clock.now().toISOString();
  }

  /** Checks the nodes once. */
  async look(alerting?: Alerting): Promise<void> {
    await watchIncidents(this, alerting);
  }

  /** Stores heartbeats of nodes. */
  async beat(...nodes: readonly string[]): Promise<void> {
    await ingest(this, nodes.map((node) => events.heartbeat(node, { time: this.now })));
  }

  /** Advances the clock by minutes. In each, nodes send a heartbeat and the dashboard checks them. */
  async minutes(count: number, nodes: readonly string[], alerting?: Alerting): Promise<void> {
    for (let minute = 0; minute < count; minute++) {
      this.clock.advance(MINUTE_MS);
      await this.beat(...nodes);
      await this.look(alerting);
    }
  }

  async open(): Promise<readonly IncidentRow[]> {
    return await openIncidents(this.kv);
  }

  async all(): Promise<readonly IncidentRow[]> {
    return (await readIncidents(this.kv, { limit: 200 })).rows;
  }
}

/** A newly started dashboard with its own database. */
export async function startWatch(): Promise<WatchedFleet & Disposable> {
  const kv = await Deno.openKv(":memory:");
  const { clock } = alertContext();
  clock.advance(Date.parse(WATCH_BEGINS) - clock.now().getTime());
  return Object.assign(new WatchedFleet(kv, clock), { [Symbol.dispose]: () => kv.close() });
}

/** Alert settings with webhooks at these addresses. */
export function alertingTo({ clock }: WatchedFleet, ...addresses: readonly string[]): Alerting {
  const [url, ...chats] = addresses;
  const context = { ...alertContext({ ALERTS_SECRET: "s3cret" }), clock };
  return {
    context,
    settings: alerts({ webhook: { url }, chat: chats.map((url) => ({ type: "slack", url })) }),
  };
}
