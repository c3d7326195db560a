import type { Clock } from "../../lib/core/clock.ts";
import { messageAndHint } from "../../lib/core/errors.ts";
import { kvFailure } from "../store/kv_failure.ts";

/** A backup locks the database for a moment. The next check stores what waited. */
const PATIENCE_MS = 10_000;

/** Why the runs of this machine are missing. */
export interface IntakeProblem {
  /** When the last check began that completed. */
  readonly since: Date;
  /** For operators; may contain paths. */
  readonly reason: string;
  /** For everyone. */
  readonly publicReason: string;
}

const HUNG = "the dashboard's database does not accept them: another process may have locked it";

/**
 * Tracks whether the dashboard stores the runs of its own machine. On a platform there are none, and never a problem.
 */
export class LocalIntake {
  readonly #clock: Clock;
  /** Start of the check that has not succeeded yet. */
  #begun: { readonly at: Date; readonly ms: number } | undefined;
  #failure: Pick<IntakeProblem, "reason" | "publicReason"> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(): void {
    this.#begun ??= { at: this.#clock.now(), ms: this.#clock.monotonicMs() };
  }

  /** Notes progress: a long history takes minutes. */
  proceed(): void {
    this.#begun = undefined;
    this.begin();
  }

  succeed(): void {
    this.#begun = undefined;
    this.#failure = undefined;
  }

  /** Notes a failure. @returns the reason, for the log */
  fail(error: unknown): string {
    const failure = kvFailure(error);
    const reason = messageAndHint(failure ?? error);
    const publicReason = failure?.message ?? "something other than the database failed";
    this.#failure = { reason, publicReason };
    return reason;
  }

  /** The problem, once it has lasted for a while; `undefined` while runs are stored. */
  get problem(): IntakeProblem | undefined {
    const begun = this.#begun;
    if (begun === undefined || this.#clock.monotonicMs() - begun.ms < PATIENCE_MS) return undefined;
    return { since: begun.at, ...(this.#failure ?? { reason: HUNG, publicReason: HUNG }) };
  }
}
