import { type ApiChoice, type ApiWorld, apiWorld } from "./api_world.ts";
import { nodeState } from "../../web/fleet/node_state.ts";
import { createToken } from "../../web/access/tokens.ts";
import { ingest } from "../../web/store/ingest.ts";
import { PASSWORD, WITH_PASSWORD } from "./access_world.ts";
import { FakeClock } from "./fake_clock.ts";
import { fillIncidents, incidentRow } from "./web_rows.ts";
import { WholeFleet } from "./whole_fleet.ts";

/** A dashboard on loopback, with a database in memory. */
export interface ServedDashboard extends AsyncDisposable {
  readonly origin: string;
  readonly world: ApiWorld;
}

/** Serves the dashboard to a browser, on the clock of the world. */
export async function serveDashboard(choice: ApiChoice = {}): Promise<ServedDashboard> {
  const world = await apiWorld(choice);
  const closing = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {}, signal: closing.signal },
    (request, info) => world.app.fetch(request, info),
  );
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    world,
    [Symbol.asyncDispose]: async () => {
      world.dashboard.live.close();
      closing.abort();
      await server.finished;
      await world[Symbol.asyncDispose]();
    },
  };
}

/** A fleet with a node of every kind and most events. */
const NODES = 18;
/** The simulated time: three weeks, for the charts of a month. */
const DAYS = 24;

/** A time at which runs that were due at six are late. */
const LATE_SINCE = "2026-11-29T06:10:00.000Z";

/** A dashboard on loopback with a password and a simulated fleet. It is always the same: its clock stands still. */
export interface FilledDashboard extends ServedDashboard {
  readonly password: string;
  readonly fleet: WholeFleet;
}

export async function serveFilledDashboard(): Promise<FilledDashboard> {
  const served = await serveDashboard({ env: WITH_PASSWORD });
  const { kv, clock, dashboard } = served.world;
  const fleet = new WholeFleet({ nodes: NODES, days: DAYS, now: clock.now() });
  for (const { events, sentAt } of fleet.batches) {
    await ingest({ kv, clock: new FakeClock(sentAt.toISOString()) }, events);
  }
  const { rows } = await dashboard.fleet.read();
  for (const row of rows.values()) {
    const { kind, reason } = nodeState(row, clock.now());
    if (kind !== "late" && kind !== "down") continue;
    // A node that is late still sends heartbeats.
    const startedAt = kind === "late" ? LATE_SINCE : row.lastReceivedAt ?? LATE_SINCE;
    const incident = { kind, reason, startedAt, endedAt: null, alertedAt: startedAt };
    await fillIncidents(kv, incidentRow(row.node, incident));
  }
  await fillIncidents(
    kv,
    incidentRow("bot-madrid"),
    incidentRow("train-2", {
      kind: "late",
      reason: "The publisher run did not start on time.",
      startedAt: "2026-11-21T05:20:00.000Z",
      endedAt: "2026-11-21T06:05:00.000Z",
      alertedAt: null,
    }),
  );
  const atFirst = { ...dashboard, clock: new FakeClock("2026-11-05T09:30:00Z") };
  await createToken(atFirst, "node", "bot-paris");
  await createToken(atFirst, "node", "train-1");
  await createToken(atFirst, "read", "Prometheus");
  return { ...served, fleet, password: PASSWORD, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
}
