import assert from "node:assert/strict";
import { judgeFleet } from "../../configs/demo/judge_fleet.ts";
import { SimulatedFleet } from "../../configs/demo/fleet/simulate_fleet.ts";
import { nodeState } from "../../web/fleet/node_state.ts";
import { FleetMemory } from "../../web/store/fleet_memory.ts";
import { ingest } from "../../web/store/ingest.ts";
import { openIncidents, readIncidents } from "../../web/store/incident_rows.ts";
import type { IncidentRow } from "../../web/store/rows.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { recordedLog } from "../helpers/test_context.ts";

const NOW = new Date("2026-11-29T17:35:00Z");
const HOUR_MS = 3_600_000;

/** A month of the first 44 nodes, which are those that something happens to, as the demo takes it in. */
async function monthOf(kv: Deno.Kv, days: number) {
  const clock = systemClock;
  const web = { kv, clock, log: recordedLog(), fleet: new FleetMemory(kv) };
  const fleet = new SimulatedFleet({ nodes: 44, days, now: NOW, isWatched: true });
  let looks = 0;
  for (const { endsAt, isLook } of fleet.windows()) {
    for (const { events, sentAt } of fleet.batchesUntil(endsAt)) {
      await ingest({ kv, clock: { ...clock, now: () => sentAt } }, events);
    }
    if (!isLook) continue;
    looks++;
    await judgeFleet(web, fleet, endsAt);
  }
  return { web, looks };
}

function hoursOf({ startedAt, endedAt }: IncidentRow): number {
  return (Date.parse(endedAt ?? NOW.toISOString()) - Date.parse(startedAt)) / HOUR_MS;
}

Deno.test("the demo's month has its incidents on record, with their beginnings and lengths", async () => {
  using kv = await Deno.openKv(":memory:");
  const { web, looks } = await monthOf(kv, 21);
  assert.ok(looks > 8 && looks < 40, `${looks} looks`);
  const { rows } = await readIncidents(kv, { limit: 200 });
  const of = (node: string) => rows.filter((incident) => incident.node === node);

  const [dublin, ...more] = of("bot-dublin");
  assert.ok(dublin !== undefined && more.length === 0);
  assert.deepEqual([dublin.kind, dublin.ending, Math.round(hoursOf(dublin))], ["down", "recovered", 9]);
  const [brussels, ...others] = of("bot-brussels");
  assert.ok(brussels !== undefined && others.length === 0);
  assert.deepEqual([brussels.kind, brussels.ending], ["late", "recovered"]);
  assert.ok(Math.abs(hoursOf(brussels) - 50 / 60) < 0.1, String(hoursOf(brussels)));

  const lisbon = of("bot-lisbon");
  assert.equal(lisbon.length, 3);
  for (const weekend of lisbon.filter(({ endedAt }) => endedAt !== null)) {
    assert.ok(Math.abs(hoursOf(weekend) - 60.7) < 0.1, String(hoursOf(weekend)));
  }
  const nodes = new Set(rows.map(({ node }) => node));
  assert.deepEqual([...nodes].sort(), [
    "bot-athens",
    "bot-brussels",
    "bot-dublin",
    "bot-frankfurt",
    "bot-lisbon",
    "bot-vienna",
  ]);

  const open = new Map((await openIncidents(kv)).map((incident) => [incident.node, incident]));
  assert.deepEqual([...open.keys()].sort(), ["bot-athens", "bot-frankfurt", "bot-lisbon", "bot-vienna"]);
  const frankfurt = (await web.fleet.read()).rows.get("bot-frankfurt");
  assert.ok(frankfurt !== undefined);
  assert.equal(open.get("bot-frankfurt")?.startedAt, nodeState(frankfurt, NOW).since);
  assert.equal(open.get("bot-frankfurt")?.startedAt, new Date(NOW.getTime() - 9 * HOUR_MS).toISOString());
  assert.ok(rows.every(({ alertedAt }) => alertedAt === null));
});
