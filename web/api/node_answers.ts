import type { NodeView } from "../fleet/node_view.ts";
import { summarize } from "../fleet/summary.ts";
import type { FleetView } from "../fleet/view_fleet.ts";
import type { RowPage } from "../store/page_range.ts";
import type { ActivePeriod } from "../store/read_activations.ts";
import type { ReleaseName, Report, RunRow } from "../store/rows.ts";
import type { Counts, Fleet, Node, NodeDetails, Period, Run, Status } from "./answers.ts";

/** Returns a node as the API answers it. */
export function nodeAnswer({ row, group, state, troubles, lag, next, clockAheadMs }: NodeView): Node {
  const { node, host, active, last, lastReceivedAt, lastSuccessAt } = row;
  return {
    node,
    group,
    state: { ...state },
    troubles: troubles.map(({ tone, kind, label, title, text, at, command = null }) => ({
      tone,
      kind,
      label,
      title,
      text,
      at,
      command,
    })),
    host,
    active: active === null ? null : { ...releaseName(active), saidAt: active.saidAt },
    lag: lag === null ? null : { ...lag, newest: releaseName(lag.newest) },
    last: last === null ? null : runAnswer(last),
    next: next === null ? null : { ...next },
    lastReceivedAt,
    lastSuccessAt,
    clockAheadMs,
  };
}

/** Returns a node with its history. */
export function nodeDetails(
  view: NodeView,
  runs: RowPage<RunRow>,
  periods: readonly ActivePeriod[],
): NodeDetails {
  const { report, running } = view.row;
  return {
    ...nodeAnswer(view),
    report: report === null ? null : reportAnswer(report),
    running: running.map((run) => ({ ...run })),
    periods: periods.map(periodAnswer),
    runs: runs.rows.map(runAnswer),
    older: runs.older ?? null,
  };
}

function reportAnswer({ heartbeatAt: _, ...report }: Report): NodeDetails["report"] {
  return {
    ...report,
    roles: report.roles.map((role) => ({
      ...role,
      pause: role.pause === null ? null : { ...role.pause, reason: role.pause.reason ?? null },
    })),
  };
}

/** Returns a period as the API answers it. */
export function periodAnswer(period: ActivePeriod): Period {
  const { node, digest, sequence, at, until, runId, outcome } = period;
  return { node, digest, sequence: sequence ?? null, at, until, runId, outcome };
}

/** Returns a run as the API answers it. */
export function runAnswer(run: RunRow): Run {
  const { carrier, release, previous, sequence, files, bytes, writtenBytes, changed, error } = run;
  return {
    node: run.node,
    runId: run.runId,
    command: run.command,
    outcome: run.outcome,
    startedAt: run.startedAt,
    durationMs: run.durationMs,
    carrier: carrier ?? null,
    release: release ?? null,
    previous: previous ?? null,
    sequence: sequence ?? null,
    files: files ?? null,
    bytes: bytes ?? null,
    writtenBytes: writtenBytes ?? null,
    changed: changed ?? null,
    error: error ?? null,
  };
}

/** Returns the state of the fleet as a sentence and numbers. */
export function statusAnswer(nodes: readonly NodeView[]): Status {
  const { tone, troubled, rest } = summarize(nodes);
  return {
    ok: tone === "good",
    sentence: troubled === "" ? rest : `${troubled} ${rest}`,
    nodes: nodes.length,
    counts: countStates(nodes),
  };
}

/** Returns what each publisher published last. */
export function newestAnswer({ lineages }: FleetView): Fleet["newest"] {
  return lineages.all.flatMap(({ publisher, published: [newest] }) =>
    newest === undefined ? [] : [{ publisher, ...releaseName(newest), at: newest.at }]
  );
}

function countStates(nodes: readonly NodeView[]): Counts {
  const counts: Counts = { up: 0, late: 0, down: 0, paused: 0, canary: 0, "never-reported": 0 };
  for (const { state } of nodes) counts[state.kind]++;
  return counts;
}

function releaseName({ digest, sequence }: ReleaseName) {
  return { digest, sequence: sequence ?? null };
}
