import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import type { RunActivation, RunStep } from "../store/history.ts";
import type { IntentRun } from "../store/intent.ts";
import { newRunId } from "../store/running.ts";

/** The steps of runs whose durations are recorded. */
export type StepName =
  | "activate"
  | "archive"
  | "compare"
  | "deploy"
  | "inspect"
  | "install"
  | "list"
  | "open"
  | "propose"
  | "publish"
  | "read"
  | "reload"
  | "resolve"
  | "revert"
  | "stage"
  | "train"
  | "validate"
  | "verify"
  | "wait";

/** Records the steps of a run. */
export type Steps = Pick<CurrentRun, "step">;

/** Records nothing, for a dry run. */
export const NO_STEPS: Steps = { step: async (_name, work) => await work() };

/** A pull with a canary has ten steps; a reference sync has some for each category. */
const STEPS_MAX = 100;

/** The current run: its id, its steps and their durations. */
export class CurrentRun implements IntentRun {
  readonly runId: string;
  readonly command: string;
  /** ISO 8601, to the second. */
  readonly startedAt: string;
  /** The release that the run has activated, for the record of a failure after the activation. */
  activated: RunActivation | undefined;
  readonly #context: Pick<Context, "clock">;
  readonly #startedMs: number;
  readonly #steps: RunStep[] = [];
  readonly #listeners: ((name: StepName) => void)[] = [];

  constructor(context: Pick<Context, "clock">, command: string) {
    this.#context = context;
    this.#startedMs = context.clock.monotonicMs();
    this.runId = newRunId(context);
    this.command = command;
    this.startedAt = isoSeconds(context.clock.now());
  }

  /** Milliseconds since the run began. */
  get elapsedMs(): number {
    return Math.round(this.#context.clock.monotonicMs() - this.#startedMs);
  }

  /** The steps that have ended, in the order of their ends. */
  get steps(): readonly RunStep[] {
    return this.#steps;
  }

  /** Calls `listener` when a step begins. */
  onStep(listener: (name: StepName) => void): void {
    this.#listeners.push(listener);
  }

  /** Does a step of the run and records its duration, also if it throws. */
  async step<Result>(name: StepName, work: () => Result | Promise<Result>): Promise<Result> {
    const startMs = this.elapsedMs;
    for (const listener of this.#listeners) listener(name);
    try {
      return await work();
    } finally {
      const step = { name, startMs, durationMs: this.elapsedMs - startMs };
      if (this.#steps.length < STEPS_MAX) this.#steps.push(step);
    }
  }
}
