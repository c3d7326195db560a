import type { StoredRun } from "./read_run.ts";
import { type NodeRow, RUNNING } from "./rows.ts";

/** Returns a run that has not ended: its node alone knows of it. */
export function findRunningRun(
  rows: Iterable<NodeRow>,
  runId: string,
  wanted: string | undefined,
): StoredRun | undefined {
  for (const { node, running } of rows) {
    if (wanted !== undefined && wanted !== node) continue;
    const run = running.find((one) => one.runId === runId);
    if (run === undefined) continue;
    const { command, startedAt } = run;
    const row = { node, runId, command, startedAt, outcome: RUNNING, durationMs: 0 };
    return { row, details: undefined, nodes: [node] };
  }
  return undefined;
}
