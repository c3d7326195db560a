import { type Family, type Sample, valueText } from "../../lib/metrics/text_format.ts";
import { shortDigest } from "../../lib/release/manifest.ts";
import { type NodeView, STATES } from "../fleet/node_view.ts";
import { isWithdrawn } from "../fleet/troubles.ts";
import { byUrgency, type FleetView } from "../fleet/view_fleet.ts";
import type { IncidentRow } from "../store/rows.ts";

/** Nodes with series of their own: twice as many as pages are designed for, at about ten series each. */
export const METRICS_NODES_MAX = 2_000;

const PREFIX = "model_sync_dashboard";

/** The source of the metrics. */
export interface MetricsSource {
  readonly view: FleetView;
  /** The open ones. */
  readonly incidents: readonly IncidentRow[];
  readonly counts: IngestCounts;
  readonly subscribers: number;
}

/** Returns the metrics of the fleet and of this process. In a fleet above the limit, nodes with problems come first. */
export function dashboardMetrics({ view, incidents, counts, subscribers }: MetricsSource): Family[] {
  const nodes = view.nodes.length <= METRICS_NODES_MAX
    ? view.nodes
    : view.nodes.toSorted(byUrgency).slice(0, METRICS_NODES_MAX);
  return [
    ...fleetFamilies(view, nodes, incidents),
    ...nodes.length === 0 ? [] : nodeFamilies(nodes),
    ...processFamilies(counts, subscribers),
  ];
}

function fleetFamilies(
  { nodes: all }: FleetView,
  nodes: readonly NodeView[],
  incidents: readonly IncidentRow[],
): Family[] {
  return [
    gauge(
      "nodes",
      "Nodes by state.",
      STATES.map((state) => ({
        labels: { state },
        value: all.filter((node) => node.state.kind === state).length,
      })),
    ),
    gauge("nodes_left_out", "Nodes beyond the limit, which have no series of their own.", [
      { value: all.length - nodes.length },
    ]),
    gauge(
      "open_incidents",
      "Open incidents by kind.",
      ["late", "down"].map((kind) => ({
        labels: { kind },
        value: incidents.filter((incident) => incident.kind === kind).length,
      })),
    ),
  ];
}

function nodeFamilies(nodes: readonly NodeView[]): Family[] {
  const isState = (...kinds: readonly string[]) => (node: NodeView) =>
    Number(kinds.includes(node.state.kind));
  const each = (valueOf: (node: NodeView) => number | null) =>
    nodes.flatMap((node) => sampleOf(node, valueOf(node)));
  return [
    gauge(
      "node_up",
      "1 if the node reports, 0 if it is down or has never reported.",
      each(isState("up", "late", "paused", "canary")),
    ),
    gauge(
      "node_late",
      "1 if a run of the node did not start on time or takes too long.",
      each(isState("late")),
    ),
    gauge("node_paused", "1 if an operator paused all roles of the node.", each(isState("paused"))),
    gauge("node_canary", "1 if the active release of the node is in canary.", each(isState("canary"))),
    gauge(
      "node_troubles",
      "Number of problems that need an operator.",
      each(({ troubles }) => troubles.length),
    ),
    gauge(
      "node_behind_releases",
      "Releases that the publisher published after the node's active one.",
      each(({ lag }) => lag?.releases ?? null),
    ),
    gauge(
      "node_active_release_info",
      "The active release of the node; the value is always 1.",
      nodes.flatMap(({ row: { node, active } }) =>
        active === null ? [] : [{
          labels: {
            node,
            release: shortDigest(active.digest),
            sequence: active.sequence === undefined ? "" : String(active.sequence),
          },
          value: 1,
        }]
      ),
    ),
    gauge(
      "node_active_release_withdrawn",
      "1 if the publisher withdrew the active release of the node, as the node reports.",
      each(({ row }) => row.active === null ? null : Number(isWithdrawn(row))),
    ),
    gauge(
      "node_last_success_timestamp_seconds",
      "Start of the node's last successful run, by the node's clock.",
      each(({ row }) => secondsOf(row.lastSuccessAt)),
    ),
    gauge(
      "node_last_report_timestamp_seconds",
      "Time of the node's last report, by the dashboard's clock.",
      each(({ row }) => secondsOf(row.lastReceivedAt)),
    ),
  ];
}

function sampleOf({ row }: NodeView, value: number | null): Sample[] {
  return value === null ? [] : [{ labels: { node: row.node }, value }];
}

function processFamilies(counts: IngestCounts, subscribers: number): Family[] {
  const { accepted, invalid, unknownTypes, failed } = counts;
  const results = { accepted, invalid, unknown_type: unknownTypes };
  return [
    counter(
      "events_total",
      "Events received by this process, by result.",
      Object.entries(results).map(([result, value]) => ({ labels: { result }, value })),
    ),
    counter("failed_batches_total", "Batches that could not be stored.", [{ value: failed }]),
    {
      name: `${PREFIX}_ingest_duration_seconds`,
      type: "histogram",
      help: "Time to store a batch.",
      samples: histogram(counts),
    },
    gauge("live_subscribers", "Open pages that receive live updates.", [{ value: subscribers }]),
  ];
}

function histogram({ durations, durationSeconds }: IngestCounts): Sample[] {
  let sum = 0;
  const buckets = [...INGEST_BUCKETS, Infinity].map((bound, index): Sample => {
    sum += durations[index] ?? 0;
    return { suffix: "_bucket", labels: { le: valueText(bound) }, value: sum };
  });
  return [...buckets, { suffix: "_sum", value: durationSeconds }, { suffix: "_count", value: sum }];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name: `${PREFIX}_${name}`, type: "gauge", help, samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name: `${PREFIX}_${name}`, type: "counter", help, samples };
}

function secondsOf(time: string | null): number | null {
  return time === null ? null : Date.parse(time) / 1000;
}

/**
 * Histogram buckets for the time to store a batch, in seconds: a daemon's batch takes milliseconds, a full one tenths
 * of a second.
 */
const INGEST_BUCKETS = [0.005, 0.02, 0.1, 0.5, 2, 10] as const;

/** Counts of the events that this process has received since it started, for `/metrics`. */
export class IngestCounts {
  accepted = 0;
  unknownTypes = 0;
  invalid = 0;
  /** Batches that could not be stored. */
  failed = 0;
  /** Number of batches by {@link INGEST_BUCKETS}; the last entry counts longer ones. */
  readonly durations: number[] = Array.from({ length: INGEST_BUCKETS.length + 1 }, () => 0);
  durationSeconds = 0;

  /** Counts a stored batch. */
  note(taken: { readonly accepted: number; readonly unknownTypes: number; readonly invalid: number }): void {
    this.accepted += taken.accepted;
    this.unknownTypes += taken.unknownTypes;
    this.invalid += taken.invalid;
  }

  /** Records the time that a batch took. */
  time(seconds: number): void {
    const found = INGEST_BUCKETS.findIndex((bound) => seconds <= bound);
    const index = found === -1 ? INGEST_BUCKETS.length : found;
    this.durations[index] = (this.durations[index] ?? 0) + 1;
    this.durationSeconds += seconds;
  }
}
