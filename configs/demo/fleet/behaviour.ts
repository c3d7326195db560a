import type { Status } from "../../../lib/wire/schema.ts";
import type { RunRecord, RunStep } from "../../../lib/store/history.ts";
import type { PublishedFiles } from "../../../lib/store/published_files.ts";
import type { Failure } from "./failures.ts";
import type { Random } from "./random.ts";
import type { NodePlan } from "./roster.ts";

/** An event in a node's life. */
export type Moment =
  /** A run, over its whole duration. Its changes appear in the state when it has ended. */
  | {
    readonly kind: "run";
    readonly startMs: number;
    readonly record: RunRecord;
    readonly published?: PublishedFiles;
  }
  /** A heartbeat with the state before the next event. */
  | { readonly kind: "beat"; readonly atMs: number };

/** The behaviour of one kind of node: its runs, and its status. */
export interface Behaviour {
  /**
   * Performs the run that starts at a time, and what follows. Continues when the time of the yielded event has come.
   *
   * @param failure the failure of the run, if it fails
   */
  run(startMs: number, failure: Failure | undefined): Generator<Moment>;
  /** The state at a time. */
  state(atMs: number): NodeState;
}

/** The part of a status that differs between kinds of nodes. */
export type NodeState = Pick<
  Status,
  | "modelFolder"
  | "current"
  | "previous"
  | "releases"
  | "otherWriter"
  | "activatedAt"
  | "quarantine"
  | "canary"
>;

/** A node, and the time of its story. */
export interface NodeFacts {
  readonly plan: NodePlan;
  readonly random: Random;
  /** The end of the story. Unfinished runs continue in a live demo. */
  readonly nowMs: number;
  /** Returns the node's clock at a time, as ISO 8601. */
  readonly clock: (timeMs: number) => string;
}

/** The part of a record that differs between runs. */
export type RunResult = Pick<RunRecord, "outcome" | "durationMs"> & Partial<RunRecord>;

/** Returns the record of a run that starts at a time. */
export function recordOf(
  { plan, random, clock }: NodeFacts,
  command: string,
  startMs: number,
  result: RunResult,
): RunRecord {
  const startedAt = clock(startMs).replace(/\.\d{3}Z$/, "Z");
  const runId = `${startedAt.replaceAll(/[-:]/g, "")}-${random.hex(6)}`;
  return { runId, command, startedAt, host: plan.host, ...result };
}

/**
 * Returns the steps of a run in order, over its whole duration.
 *
 * @param shares each step's share of the duration
 */
export function stepsOver(durationMs: number, shares: Readonly<Record<string, number>>): RunStep[] {
  const total = Object.values(shares).reduce((sum, share) => sum + share, 0);
  let startMs = 0;
  return Object.entries(shares).map(([name, share]) => {
    const step = { name, startMs, durationMs: Math.floor(durationMs * share / total) };
    startMs += step.durationMs;
    return step;
  });
}
