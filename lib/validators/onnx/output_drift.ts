/** Replaces smaller probabilities: the divergence from a probability of 0 would be infinite. */
const PROBABILITY_MIN = 1e-10;

/** The rounding error of a softmax over many classes in single precision. */
const SUM_TOLERANCE = 1e-3;

/**
 * The number of generated vectors before a decision may be early. Of models that differ for a fifth of all inputs, one in
 * 200 shows no difference in 24 vectors.
 */
export const VECTORS_MIN = 24;

/** The largest allowed distance from the active model's outputs. */
export interface DriftLimits {
  readonly totalVariation: number;
  readonly klDivergence: number;
}

/** The distance between the outputs of a model and those of the active one, for the same vectors. */
export interface Drift {
  /** Mean of `0.5 * sum |p - q|` over all distributions: 0 for equal, 1 for disjoint ones. */
  readonly totalVariation: number;
  /** Mean of `sum p * ln(p / q)` over all distributions, in nats; `p` is the active model's. */
  readonly klDivergence: number;
}

export type DriftVerdict =
  | { readonly kind: "drift"; readonly drift: Drift }
  /** At least one of the outputs is not a distribution, so that limits do not apply. */
  | { readonly kind: "no distributions" }
  /** The active model's output consists of distributions, this one's does not. */
  | { readonly kind: "no longer distributions"; readonly sum: number };

/**
 * Compares one output of two models, vector by vector. A row along the last dimension is a distribution when no number is
 * negative and the sum is 1. A row of one number between 0 and 1 is the probability of one of two outcomes. Other outputs
 * (logits, regressions, embeddings) have an unknown scale and are not judged.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { OutputDrift } from "./output_drift.ts";
 * const drift = new OutputDrift();
 * drift.add([0.9, 0.1], [0.6, 0.4], 2);
 * const verdict = drift.verdict();
 * assert.ok(verdict.kind === "drift" && Math.abs(verdict.drift.totalVariation - 0.3) < 1e-9);
 * ```
 */
export class OutputDrift {
  #rows = 0;
  #variation = 0;
  #divergence = 0;
  #activeIsDistribution = true;
  #isDistribution = true;
  /** The sum of the first row that is not a distribution. */
  #oddSum = 0;
  #width = 0;
  /** The means of single vectors. */
  readonly #variations = new Range();
  readonly #divergences = new Range();

  /**
   * @param active the active model's output for a vector
   * @param output this model's output, of the same length
   * @param width the length of a row
   */
  add(active: ArrayLike<number>, output: ArrayLike<number>, width: number): void {
    this.#width = width;
    if (width === 0) return;
    const before = [this.#rows, this.#variation, this.#divergence] as const;
    for (let start = 0; start + width <= output.length; start += width) {
      const sum = distributionSum(output, start, width);
      if (this.#isDistribution && sum.isOdd) {
        this.#isDistribution = false;
        this.#oddSum = sum.value;
      }
      if (distributionSum(active, start, width).isOdd) this.#activeIsDistribution = false;
      if (this.#isDistribution && this.#activeIsDistribution) this.#addRow(active, output, start, width);
    }
    const rows = this.#rows - before[0];
    if (rows === 0) return;
    this.#variations.add((this.#variation - before[1]) / rows);
    this.#divergences.add((this.#divergence - before[2]) / rows);
  }

  /**
   * Returns whether further vectors would not change the verdict, so that a slow model needs no more of them.
   *
   * An output of which one model returned no distribution needs no more. Otherwise the smallest and the largest distance
   * of a vector so far decide, extended by their range on either side: both measures have to stay below their limits, or
   * one of them above. To change the verdict, the mean of all further vectors would have to lie outside of the extended
   * range. Near a limit, and if the distances vary, all vectors are computed. This assumes that the vectors so far show
   * what the others show: a difference that only one of 50 vectors shows can be missed.
   */
  isDecided(limits: DriftLimits): boolean {
    if (!this.#activeIsDistribution || !this.#isDistribution) return true;
    if (this.#variations.count < VECTORS_MIN) return false;
    const isBelow = this.#variations.staysBelow(limits.totalVariation) &&
      this.#divergences.staysBelow(limits.klDivergence);
    return isBelow || this.#variations.staysAbove(limits.totalVariation) ||
      this.#divergences.staysAbove(limits.klDivergence);
  }

  verdict(): DriftVerdict {
    if (this.#rows > 0 && this.#activeIsDistribution && this.#isDistribution) {
      const drift = {
        totalVariation: this.#variation / this.#rows,
        klDivergence: this.#divergence / this.#rows,
      };
      return { kind: "drift", drift };
    }
    // A single number may lie between 0 and 1 by accident. Rows do not all sum to 1 by accident.
    const wasDistribution = this.#activeIsDistribution && !this.#isDistribution && this.#width > 1;
    return wasDistribution
      ? { kind: "no longer distributions", sum: this.#oddSum }
      : { kind: "no distributions" };
  }

  #addRow(active: ArrayLike<number>, output: ArrayLike<number>, start: number, width: number): void {
    this.#rows += 1;
    for (let index = start; index < start + width; index++) {
      this.#addOutcome(active[index] ?? 0, output[index] ?? 0);
      if (width === 1) this.#addOutcome(1 - (active[index] ?? 0), 1 - (output[index] ?? 0));
    }
  }

  #addOutcome(active: number, output: number): void {
    this.#variation += 0.5 * Math.abs(active - output);
    const p = Math.max(active, PROBABILITY_MIN);
    this.#divergence += p * Math.log(p / Math.max(output, PROBABILITY_MIN));
  }
}

/** The smallest and the largest of some distances. */
class Range {
  count = 0;
  #smallest = Infinity;
  #largest = -Infinity;

  add(value: number): void {
    this.count += 1;
    this.#smallest = Math.min(this.#smallest, value);
    this.#largest = Math.max(this.#largest, value);
  }

  staysBelow(limit: number): boolean {
    return this.#largest + (this.#largest - this.#smallest) <= limit;
  }

  staysAbove(limit: number): boolean {
    return this.#smallest - (this.#largest - this.#smallest) > limit;
  }
}

function distributionSum(
  values: ArrayLike<number>,
  start: number,
  width: number,
): { readonly value: number; readonly isOdd: boolean } {
  let sum = 0;
  let isNegative = false;
  for (let index = start; index < start + width; index++) {
    const value = values[index] ?? 0;
    if (value < 0) isNegative = true;
    sum += value;
  }
  const fits = width === 1 ? sum <= 1 : Math.abs(sum - 1) <= SUM_TOLERANCE;
  return { value: sum, isOdd: isNegative || !fits };
}
