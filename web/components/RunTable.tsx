import { formatBytes, plural } from "../../lib/core/format.ts";
import { durationText } from "../../lib/store/run_duration.ts";
import { addresses } from "../shared/addresses.ts";
import { shownText } from "../shared/shown_text.ts";
import type { RunRow } from "../store/rows.ts";
import { NodeLink, ReleaseChip } from "./Links.tsx";
import { Outcome } from "./Mark.tsx";
import { Cell, Row, Table } from "./Table.tsx";
import { Time } from "./Time.tsx";

interface RunTableProps {
  readonly caption: string;
  /** Newest first. */
  readonly runs: readonly RunRow[];
  /** Whether the runs are of several nodes. */
  readonly namesNodes?: boolean;
  readonly live?: string;
}

/** Renders a table of runs, with what they changed or why they failed. */
export function RunTable({ caption, runs, namesNodes = false, live }: RunTableProps) {
  const columns = [
    { label: "Run", size: "medium" as const },
    ...(namesNodes ? [{ label: "Node", size: "medium" as const }] : []),
    { label: "Outcome", size: "small" as const },
    { label: "Release", size: "large" as const },
    { label: "Details" },
    { label: "Took", size: "small" as const, align: "end" as const },
  ];
  return (
    <Table caption={caption} columns={columns} {...(live === undefined ? {} : { live })}>
      {runs.map((run) => (
        <Row key={`${run.node} ${run.runId}`}>
          <Cell label="" kind="head" note={<Time at={run.startedAt} style="clock" />}>
            <a class="name" href={addresses.run(run.runId, run.node)}>{shownText(run.command)}</a>
          </Cell>
          {namesNodes && (
            <Cell label="Node">
              <NodeLink node={run.node} />
            </Cell>
          )}
          <Cell label="Outcome">
            <Outcome outcome={run.outcome} />
          </Cell>
          <Cell label="Release">{releaseOf(run)}</Cell>
          <Cell label="Details" kind="wide">{eventOf(run)}</Cell>
          <Cell label="Took" align="end">{durationText(run)}</Cell>
        </Row>
      ))}
    </Table>
  );
}

function releaseOf({ release, sequence }: RunRow) {
  if (release === undefined) return "–";
  return (
    <ReleaseChip release={sequence === undefined ? { digest: release } : { digest: release, sequence }} />
  );
}

/** Renders the error, or what was changed. */
function eventOf({ error, changed, writtenBytes }: RunRow) {
  if (error !== undefined) {
    return (
      <>
        {shownText(error.message)} <code>{shownText(error.code)}</code>
      </>
    );
  }
  const moved = [
    ...(changed === undefined || changed === 0 ? [] : [`${plural(changed, "file")} changed`]),
    ...(writtenBytes === undefined || writtenBytes === 0 ? [] : [`${formatBytes(writtenBytes)} written`]),
  ];
  return moved.length === 0 ? "–" : moved.join(", ");
}
