import type { FleetWeb } from "./fleet_memory.ts";
import { committed } from "./commit.ts";
import { sweepRemoved } from "./remove_node.ts";
import { keys } from "./keys.ts";
import { type NodeRow, type Place, SWEEP_PHASES, type SweepPhase, SweepRow } from "./rows.ts";
import { readSettings } from "./settings_row.ts";
import {
  sweepCanaries,
  sweepIncidents,
  sweepPullRequests,
  sweepQuarantines,
  sweepReleases,
} from "./sweep_releases.ts";
import { AHEAD_MS_MAX, type Kept, sweepActivations, sweepNews, sweepRuns } from "./sweep_runs.ts";
import { SweepStep } from "./sweep_step.ts";

const DAY_MS = 24 * 3_600_000;

/**
 * A round a day is enough, because entries are kept by the day. Reading all entries costs money in a managed database.
 */
const ROUND_MS = DAY_MS;

/**
 * Removes expired entries in one bounded step. The next step, on any instance, continues where this one stopped. A full
 * round starts once a day. Two instances may remove the same entries at the same time.
 *
 * @returns the number of removed entries
 */
export async function sweep(
  { kv, clock, fleet }: Pick<FleetWeb, "kv" | "clock" | "fleet">,
): Promise<number> {
  const now = clock.now();
  const step = new SweepStep(kv, clock);
  const forgotten = await sweepRemoved(step);
  const before = SweepRow.safeParse((await kv.get(keys.sweep())).value).data;
  let place = before === undefined || isDue(before, now) ? newRound(now) : before;
  if (forgotten && !place.isOver) {
    const { rows } = await fleet.read();
    const { retentionDays } = await readSettings(kv);
    const kept: Kept = {
      from: new Date(now.getTime() - retentionDays * DAY_MS).toISOString(),
      to: new Date(now.getTime() + AHEAD_MS_MAX).toISOString(),
    };
    while (!place.isOver && !step.isSpent) {
      const stopped = await sweepPhase(step, place.phase, place.after ?? undefined, kept, rows);
      place = stopped === undefined ? nextPhase(place) : { ...place, after: stopped };
    }
    await step.flush();
    // If this fails, the next step repeats the same part.
    await committed(kv.atomic().set(keys.sweep(), place));
  }
  await step.flush();
  return step.deletions;
}

/** Also true if the clock was set back. */
function isDue({ beganAt, isOver }: SweepRow, now: Date): boolean {
  return isOver && Math.abs(now.getTime() - Date.parse(beganAt)) >= ROUND_MS;
}

function newRound(now: Date): SweepRow {
  return { phase: SWEEP_PHASES[0], after: null, beganAt: now.toISOString(), isOver: false };
}

function nextPhase(place: SweepRow): SweepRow {
  const next = SWEEP_PHASES[SWEEP_PHASES.indexOf(place.phase) + 1];
  return next === undefined
    ? { ...place, after: null, isOver: true }
    : { ...place, after: null, phase: next };
}

/** @returns where the step stopped; `undefined` if the phase is complete */
async function sweepPhase(
  step: SweepStep,
  phase: SweepPhase,
  after: Place | undefined,
  kept: Kept,
  rows: ReadonlyMap<string, NodeRow>,
): Promise<Place | undefined> {
  switch (phase) {
    case "runs":
      return await sweepRuns(step, after, kept);
    case "activations":
      return await sweepActivations(step, after, kept);
    case "news":
      return await sweepNews(step, kept);
    case "incidents":
      return await sweepIncidents(step, after, kept);
    case "pull-requests":
      return await sweepPullRequests(step, after, kept);
    case "canaries":
      return await sweepCanaries(step, after, kept);
    case "quarantine":
      return await sweepQuarantines(step, after, rows);
    case "releases":
      return await sweepReleases(step, after, kept, rows);
  }
}
