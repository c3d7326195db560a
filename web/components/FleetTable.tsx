import { formatDuration } from "../../lib/core/format.ts";
import { useContext } from "preact/hooks";
import { behindWords } from "../fleet/troubles.ts";
import type { NodeView, Trouble } from "../fleet/node_view.ts";
import { usualCommand } from "../fleet/roles.ts";
import { shownText } from "../shared/shown_text.ts";
import { type NodeRow, RUNNING } from "../store/rows.ts";
import { NodeLink, ReleaseChip } from "./Links.tsx";
import { Outcome, StateBadge } from "./Mark.tsx";
import { PageContext } from "./PageContext.tsx";
import { RunStrip } from "./RunStrip.tsx";
import { Cell, type Column, Row, Table } from "./Table.tsx";
import { Time } from "./Time.tsx";

const COLUMNS: readonly Column[] = [
  { label: "Node" },
  { label: "State", size: "medium" },
  { label: "Release", size: "large" },
  { label: "Last 30 runs", size: "large" },
  { label: "Last run", size: "medium" },
  { label: "Next", size: "medium", align: "end" },
];

interface FleetTableProps {
  /** The name of the group. */
  readonly caption: string;
  readonly nodes: readonly NodeView[];
}

/** Renders a table of nodes. */
export function FleetTable({ caption, nodes }: FleetTableProps) {
  return (
    <Table caption={caption} columns={COLUMNS} live={`table:${caption}`}>
      {nodes.map((node) => <FleetRow key={node.row.node} view={node} />)}
    </Table>
  );
}

function FleetRow({ view }: { readonly view: NodeView }) {
  const { row, state, troubles } = view;
  const [trouble] = troubles;
  const run = row.running.length > 0 ? RUNNING : row.last?.outcome;
  return (
    <Row live={`node:${row.node}`} node={row.node}>
      <Cell label="" kind="head" note={rolesOf(view)}>
        <NodeLink node={row.node} />
      </Cell>
      <Cell label="State">
        {trouble === undefined
          ? <StateBadge state={state.kind} label={stateLabel(view)} />
          : <StateBadge state={state.kind} label={labelOf(trouble)} tone={trouble.tone} />}
      </Cell>
      <Cell label="Release" note={<Behind view={view} />}>
        {releaseOf(view)}
      </Cell>
      <Cell label="Last 30 runs" kind="wide">
        <RunStrip runs={row.strip} />
      </Cell>
      <Cell label="Last run" note={run === undefined ? undefined : <LastRunNote row={row} />}>
        {run === undefined ? "–" : <Outcome outcome={run} />}
      </Cell>
      <Cell label="Next" align="end">
        <NextRun view={view} />
      </Cell>
    </Row>
  );
}

/**
 * Renders the note of the last run. A run in progress takes precedence: the state already shows what was wrong with the
 * previous one.
 */
function LastRunNote({ row: { running: [running], last } }: { readonly row: NodeRow }) {
  if (running === undefined) return last === null ? null : <Time at={last.startedAt} />;
  const { command, step, startedAt } = running;
  return (
    <>
      {shownText(step === null ? command : `${command}, ${step}`)}, since{" "}
      <Time at={startedAt} style="clock" />
    </>
  );
}

function NextRun({ view: { next, state } }: { readonly view: NodeView }) {
  const { now } = useContext(PageContext);
  if (next === null) return <>{state.kind === "paused" ? "paused" : "–"}</>;
  // The node has not reported the time after it.
  if (Date.parse(next.at) < now.getTime()) {
    return (
      <>
        was due <Time at={next.at} style="clock" />
      </>
    );
  }
  return <Time at={next.at} style="clock" />;
}

/** Returns the label of a problem. How far a node is behind is shown beside its release. */
function labelOf({ kind, label }: Trouble): string {
  return kind === "behind" ? "behind" : label;
}

/** Returns the label of a state with details. */
function stateLabel({ state, row }: NodeView): string {
  const canary = row.report?.canary;
  if (state.kind === "canary" && canary?.status === "watching") {
    return `canary, ${formatDuration(canary.leftMs)} left`;
  }
  if (state.kind === "canary") return "canary, paused";
  return state.kind === "never-reported" ? "never reported" : state.kind;
}

function rolesOf({ row }: NodeView): string {
  const roles = row.report?.roles.map(({ role }) => role) ?? [];
  if (roles.length > 0) return shownText(roles.join(", "));
  const command = usualCommand(row.strip);
  return command === undefined ? "" : `${shownText(command)}, no daemon`;
}

function releaseOf({ row, group }: NodeView) {
  const [newest] = row.published;
  const release = group === "publishers" && newest !== undefined ? newest : row.active ?? newest;
  return release === undefined || release === null ? "–" : <ReleaseChip release={release} />;
}

function Behind({ view: { lag, row, group } }: { readonly view: NodeView }) {
  const { now } = useContext(PageContext);
  const behind = lag === null ? "" : behindWords(lag);
  if (behind !== "") return <span class="behind">{behind}</span>;
  const [newest] = row.published;
  if (group === "publishers" && newest !== undefined) {
    return (
      <>
        published <Time at={newest.at} />
      </>
    );
  }
  const since = row.activation?.digest === row.active?.digest ? row.activation?.at : undefined;
  if (since === undefined) return null;
  const activeMs = now.getTime() - Date.parse(since);
  // A clock that is ahead gives no duration.
  return activeMs < 0 ? null : <>active for {formatDuration(activeMs)}</>;
}
