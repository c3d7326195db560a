import type { CanaryDescription, MetricDescription } from "../../../lib/wire/schema.ts";
import type { FleetRelease } from "./model_sets.ts";
import type { Random } from "./random.ts";

const MINUTE_MS = 60_000;

/** The duration of a canary, and the interval of its heartbeats. */
const DURATION_MS = 90 * MINUTE_MS;
const FAILURE_LIMIT = 2;
const ALLOWED = 0.15;
/** When a bad release exceeds the allowed degradation, and when it has done so in more samples than tolerated. */
const WORSE_AFTER_MS = 46 * MINUTE_MS;
const DEGRADED_AFTER_MS = WORSE_AFTER_MS + FAILURE_LIMIT * MINUTE_MS;

/** The course of a canary, determined at its start. */
export class CanaryStory {
  readonly release: FleetRelease;
  readonly previous: FleetRelease;
  readonly runId: string;
  readonly startedMs: number;
  readonly isBad: boolean;
  readonly #clock: (timeMs: number) => string;
  readonly #baselines: { readonly winRate: number; readonly latencyMs: number };
  readonly #phase: number;
  #concludedMs: number | undefined;

  constructor(
    facts: Pick<CanaryStory, "release" | "previous" | "runId" | "startedMs" | "isBad">,
    clock: (timeMs: number) => string,
    random: Random,
  ) {
    this.release = facts.release;
    this.previous = facts.previous;
    this.runId = facts.runId;
    this.startedMs = facts.startedMs;
    this.isBad = facts.isBad;
    this.#clock = clock;
    this.#baselines = { winRate: random.between(0.52, 0.57), latencyMs: random.between(31, 44) };
    this.#phase = random.between(0, 6);
  }

  /** When its verdict comes. */
  get endMs(): number {
    return this.startedMs + (this.isBad ? DEGRADED_AFTER_MS : DURATION_MS);
  }

  /** The reason for the rollback. */
  get reason(): string {
    const { winRate } = this.#baselines;
    const last = this.#winRate(DEGRADED_AFTER_MS);
    return `win_rate was degraded in ${
      FAILURE_LIMIT + 1
    } samples, ${FAILURE_LIMIT} are tolerated; win_rate is ${last.toFixed(3)}, ${
      percent((winRate - last) / winRate)
    } worse than its baseline ${winRate.toFixed(3)} (15 % allowed)`;
  }

  /** Records that the verdict was carried out. */
  conclude(timeMs: number): void {
    this.#concludedMs = timeMs;
  }

  /** As `model-sync canary status` describes it at a time. */
  describe(atMs: number): CanaryDescription {
    const endMs = Math.min(atMs, this.endMs);
    const watchedMs = Math.max(0, Math.floor((endMs - this.startedMs) / MINUTE_MS)) * MINUTE_MS;
    const isOver = atMs >= this.endMs;
    const status = !isOver ? "watching" : this.isBad ? "degraded" : "passed";
    return {
      digest: this.release.digest,
      previous: this.previous.digest,
      sequence: this.release.sequence,
      runId: this.runId,
      status,
      reason: !isOver ? "" : this.isBad ? this.reason : "no metric is degraded",
      startedAt: this.#clock(this.startedMs),
      statusSince: this.#clock(isOver ? this.endMs : this.startedMs),
      concludedAt: this.#concludedMs === undefined ? null : this.#clock(this.#concludedMs),
      watchedMs,
      leftMs: isOver ? 0 : DURATION_MS - watchedMs,
      intervalMs: MINUTE_MS,
      rounds: watchedMs / MINUTE_MS,
      waitsForOperator: false,
      failureLimit: FAILURE_LIMIT,
      metrics: this.#metrics(watchedMs),
    };
  }

  #metrics(watchedMs: number): MetricDescription[] {
    const { winRate, latencyMs } = this.#baselines;
    const lastAt = watchedMs === 0 ? null : this.#clock(this.startedMs + watchedMs);
    const metric = (
      name: string,
      direction: "higher" | "lower",
      baseline: number,
      last: number,
      failures: number,
    ): MetricDescription => ({
      name,
      direction,
      baseline,
      baselineMissing: null,
      last: lastAt === null ? null : last,
      lastMissing: null,
      lastAt,
      change: lastAt === null ? null : (last - baseline) / baseline,
      maxDegradation: ALLOWED,
      catastrophic: name === "win_rate" ? 0.3 : null,
      failures,
    });
    return [
      metric("win_rate", "higher", winRate, this.#winRate(watchedMs), this.#failures(watchedMs)),
      metric("latency_ms", "lower", latencyMs, this.#wave(latencyMs, 0.05, watchedMs), 0),
    ];
  }

  /** A bad release's metric falls steadily, and exceeds the allowed degradation from a certain sample on. */
  #winRate(watchedMs: number): number {
    const { winRate } = this.#baselines;
    if (!this.isBad) return this.#wave(winRate, 0.03, watchedMs);
    const fallen = (ALLOWED + 0.002) * watchedMs / WORSE_AFTER_MS;
    // The oscillation ends before the limit, so that it is crossed once.
    const calm = Math.max(0, 1 - watchedMs / WORSE_AFTER_MS);
    return this.#wave(winRate, 0.015 * calm, watchedMs) - winRate * fallen;
  }

  #failures(watchedMs: number): number {
    return this.isBad ? Math.max(0, Math.floor((watchedMs - WORSE_AFTER_MS) / MINUTE_MS) + 1) : 0;
  }

  #wave(middle: number, height: number, watchedMs: number): number {
    const angle = watchedMs / (11 * MINUTE_MS) + this.#phase;
    return middle * (1 + height * (Math.sin(angle) + 0.4 * Math.sin(angle * 2.7)) / 1.4);
  }
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}
