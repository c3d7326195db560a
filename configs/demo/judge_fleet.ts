import type { FleetWeb } from "../../web/store/fleet_memory.ts";
import { judgeNodes } from "../../web/incidents/watch_incidents.ts";
import type { SimulatedFleet } from "./fleet/simulate_fleet.ts";

/** Opens and closes the incidents of a simulated fleet, as a dashboard that checked at a time. No alerts are sent. */
export async function judgeFleet(web: FleetWeb, { beganAt }: SimulatedFleet, at: Date): Promise<void> {
  const clock = { ...web.clock, now: () => at };
  const watch = { at: at.toISOString(), resumedAt: beganAt.toISOString() };
  await judgeNodes({ ...web, clock }, watch, false);
}
