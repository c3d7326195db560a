import type { Clock } from "../../lib/core/clock.ts";
import { messageAndHint } from "../../lib/core/errors.ts";
import { kvFailure } from "../store/kv_failure.ts";

/** A backup locks the database for a moment, and the next look takes in what waited. */
const PATIENCE_MS = 10_000;

/** Why what this machine does is not shown. */
export interface IntakeProblem {
  /** When it was last shown as it was. */
  readonly since: Date;
  /** For operators: it may name paths. */
  readonly reason: string;
  /** For everybody. */
  readonly publicReason: string;
}

const HUNG = "the dashboard's database does not accept them: another process may have locked it";

/** Whether a dashboard can take in what its own machine does. Nothing is taken in on a platform: then there is no problem. */
export class LocalIntake {
  readonly #clock: Clock;
  /** When the look began that has not ended well yet. */
  #begun: { readonly at: Date; readonly ms: number } | undefined;
  #failure: Pick<IntakeProblem, "reason" | "publicReason"> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(): void {
    this.#begun ??= { at: this.#clock.now(), ms: this.#clock.monotonicMs() };
  }

  /** Something was taken in, and there is more: a long history takes minutes. */
  proceed(): void {
    this.#begun = undefined;
    this.begin();
  }

  succeed(): void {
    this.#begun = undefined;
    this.#failure = undefined;
  }

  /** @returns why, for the log */
  fail(error: unknown): string {
    const failure = kvFailure(error);
    const reason = messageAndHint(failure ?? error);
    const publicReason = failure?.message ?? "something other than the database failed";
    this.#failure = { reason, publicReason };
    return reason;
  }

  /** Why what this machine does has not been shown for a while; `undefined` while it is. */
  get problem(): IntakeProblem | undefined {
    const begun = this.#begun;
    if (begun === undefined || this.#clock.monotonicMs() - begun.ms < PATIENCE_MS) return undefined;
    return { since: begun.at, ...(this.#failure ?? { reason: HUNG, publicReason: HUNG }) };
  }
}
