import type { Status } from "../../../lib/wire/schema.ts";
import type { RunRecord, RunStep } from "../../../lib/store/history.ts";
import type { PublishedFiles } from "../../../lib/store/published_files.ts";
import type { Failure } from "./failures.ts";
import type { Random } from "./random.ts";
import type { NodePlan } from "./roster.ts";

/** What a node does, one after the other. */
export type Moment =
  /** A run, over its whole time. What it changes shows in the state when it has ended. */
  | {
    readonly kind: "run";
    readonly startMs: number;
    readonly record: RunRecord;
    readonly published?: PublishedFiles;
  }
  /** A heartbeat that shows the state before what follows. */
  | { readonly kind: "beat"; readonly atMs: number };

/** What one kind of node does when it is due, and what it says of itself. */
export interface Behaviour {
  /**
   * Does the run that starts at a time, and what follows from it. Goes on when the time of what it yielded has come.
   *
   * @param failure how it fails, if it does
   */
  run(startMs: number, failure: Failure | undefined): Generator<Moment>;
  /** The state at a time. */
  state(atMs: number): NodeState;
}

/** What of a status differs between kinds of nodes. */
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

/** A node and the time that it lives in. */
export interface NodeFacts {
  readonly plan: NodePlan;
  readonly random: Random;
  /** The time that the story ends at. What is going on then goes on as long as somebody looks. */
  readonly nowMs: number;
  /** What the node's clock shows at a time, as ISO 8601. */
  readonly clock: (timeMs: number) => string;
}

/** What a record says besides how the run was called and where. */
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
 * Returns the steps of a run, one after the other, over its whole time.
 *
 * @param shares of each step in the time
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
