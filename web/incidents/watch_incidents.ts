import { channelsOf } from "../../lib/notifiers/channels.ts";
import { compareAndSet } from "../store/commit.ts";
import { lastIncidentOf, openIncidents, setIncident } from "../store/incident_rows.ts";
import { keys, shardOf } from "../store/keys.ts";
import { IncidentRow, NodeRow, WatchRow } from "../store/rows.ts";
import type { FleetWeb } from "../store/fleet_memory.ts";
import type { Alerting } from "./alerting.ts";
import { nextIncident } from "./next_incident.ts";
import { sendAlerts } from "./send_alerts.ts";

/** Incidents that one check changes: a fleet of 1,000 nodes may go down at once. The next check changes the rest. */
const CHANGES_MAX = 2_000;

/** Sending alerts takes up to 45 s after this, and the next check is due in a minute. */
const CHANGES_MS_MAX = 10_000;

/**
 * Checks every node: opens an incident for each that became late or down, closes those that have ended, and sends
 * alerts. Several instances may check at the same time: each incident is opened, alerted and closed once.
 *
 * @param alerting `undefined`: no alerts are sent, now or later
 */
export async function watchIncidents(
  { kv, clock, log, fleet }: FleetWeb,
  alerting: Alerting | undefined,
): Promise<void> {
  const watch = await noteWatch(kv, clock.now());
  const isAlerting = alerting !== undefined &&
    channelsOf(alerting.context.env, alerting.settings).length > 0;
  await judgeNodes({ kv, clock, log, fleet }, watch, isAlerting);
  if (isAlerting) await sendAlerts({ kv, clock, log }, alerting);
}

/**
 * Opens and closes the incidents of all nodes by their states at a time.
 *
 * @param watch that time, and since when the dashboard has received every heartbeat
 * @param isAlerting whether recoveries must be alerted
 */
export async function judgeNodes(
  { kv, clock, log, fleet }: FleetWeb,
  watch: WatchRow,
  isAlerting: boolean,
): Promise<void> {
  const open = new Map((await openIncidents(kv)).map((incident) => [incident.node, incident]));
  const { rows } = await fleet.read();
  const names = new Set([...open.keys(), ...rows.keys()]);
  const changed = [...names].filter((node) =>
    nextIncident(rows.get(node), open.get(node), watch) !== undefined
  );
  const deadlineMs = clock.monotonicMs() + CHANGES_MS_MAX;
  for (const node of changed.slice(0, CHANGES_MAX)) {
    if (clock.monotonicMs() > deadlineMs) break;
    const incident = await changeIncident(kv, node, watch, isAlerting);
    if (incident !== undefined) log.info(sentence(incident));
  }
}

/** Changes the incident of a node by its current row. @returns the incident, if this instance changed it */
async function changeIncident(
  kv: Deno.Kv,
  node: string,
  watch: WatchRow,
  isAlerting: boolean,
): Promise<IncidentRow | undefined> {
  let after: IncidentRow | undefined;
  await compareAndSet(async () => {
    const [ofNode, ofIncident] = await kv.getMany([keys.node(node), keys.openIncident(node)]);
    const row = NodeRow.safeParse(ofNode.value).data;
    const open = IncidentRow.safeParse(ofIncident.value).data;
    after = nextIncident(row, open ?? await lastIncidentOf(kv, node), watch);
    if (after === undefined) return undefined;
    const operation = kv.atomic();
    setIncident(operation, after);
    if (after.endedAt !== null) operation.delete(keys.openIncident(node));
    // Writes the unchanged row to make open pages refresh: only time has changed the state.
    if (row !== undefined) operation.set(keys.node(node), row).set(keys.pulse(shardOf(node)), node);
    if (isAlerting && after.ending === "recovered") {
      operation.set(keys.unsentRecovery(after.startedAt, node), node);
    }
    return { guards: [ofNode, ofIncident], operation };
  });
  return after;
}

function sentence({ node, kind, reason, ending }: IncidentRow): string {
  switch (ending) {
    case null:
      return `${node} is ${kind}: ${reason}`;
    case "recovered":
      return `${node} works again`;
    case "paused":
      return `${node} is paused: its incident is closed`;
    case "forgotten":
      return `${node} was removed: its incident is closed`;
  }
}

/**
 * Nodes are checked every minute. After a longer gap, the dashboard was down or its clock jumped: heartbeats that it
 * missed say nothing about the nodes.
 */
const GAP_MS_MAX = 90_000;

/** Records the time of this check. @returns since when checks have run without a gap, on any instance */
async function noteWatch(kv: Deno.Kv, now: Date): Promise<WatchRow> {
  const at = now.toISOString();
  let watch: WatchRow = { at, resumedAt: at };
  await compareAndSet(async () => {
    const entry = await kv.get(keys.watch());
    const before = WatchRow.safeParse(entry.value).data;
    const gapMs = before === undefined ? Infinity : now.getTime() - Date.parse(before.at);
    const isUnbroken = before !== undefined && Math.abs(gapMs) <= GAP_MS_MAX;
    watch = { at, resumedAt: isUnbroken && before.resumedAt < at ? before.resumedAt : at };
    return { guards: [entry], operation: kv.atomic().set(keys.watch(), watch) };
  });
  return watch;
}
