import assert from "node:assert/strict";
import fc from "fast-check";
import { type DriftLimits, OutputDrift, VECTORS_MIN } from "../../../lib/validators/onnx/output_drift.ts";

const LIMITS: DriftLimits = { totalVariation: 0.2, klDivergence: 0.25 };

/** The number of vectors by default. */
const ALL = 200;

/** Adds vectors with one distribution each, at these total variations from the active model's. */
function driftOf(variations: readonly number[]): OutputDrift {
  const drift = new OutputDrift();
  for (const variation of variations) drift.add([0.5, 0.5], [0.5 + variation, 0.5 - variation], 2);
  return drift;
}

function repeated(value: number, count: number): number[] {
  return Array.from({ length: count }, () => value);
}

Deno.test("distances far from the limits decide after the first vectors, on both sides, and not before", () => {
  for (const far of [0, 0.05, 0.4]) {
    assert.equal(driftOf(repeated(far, VECTORS_MIN)).isDecided(LIMITS), true);
    assert.equal(driftOf(repeated(far, VECTORS_MIN - 1)).isDecided(LIMITS), false);
  }
  // One of the two limits is enough to refuse, and both are needed to pass.
  const strict = { totalVariation: 0.2, klDivergence: 0.000_1 };
  assert.equal(driftOf(repeated(0.05, VECTORS_MIN)).isDecided(strict), true);
});

Deno.test("distances near a limit, on either side, need all vectors", () => {
  for (const [from, to] of [[0.1, 0.19], [0.18, 0.22], [0.21, 0.3]] as const) {
    const vectors = Array.from({ length: ALL }, (_, index) => from + (to - from) * (index % 10) / 9);
    assert.equal(driftOf(vectors).isDecided(LIMITS), false, `${from} to ${to}`);
  }
});

Deno.test("models that differ for few vectors only need all vectors", () => {
  assert.equal(driftOf([...repeated(0.001, VECTORS_MIN), 0.11]).isDecided(LIMITS), false);
  assert.equal(driftOf([...repeated(0.45, VECTORS_MIN), 0.3]).isDecided(LIMITS), false);
});

Deno.test("an output that is not a distribution is decided", () => {
  const drift = new OutputDrift();
  drift.add([0.5, 0.5], [3, 4], 2);
  assert.equal(drift.isDecided(LIMITS), true);
  assert.equal(drift.verdict().kind, "no longer distributions");
});

Deno.test("an early verdict is the verdict of all vectors", () => {
  const verdictOf = (drift: OutputDrift): boolean => {
    const verdict = drift.verdict();
    assert.ok(verdict.kind === "drift");
    return verdict.drift.totalVariation <= LIMITS.totalVariation &&
      verdict.drift.klDivergence <= LIMITS.klDivergence;
  };
  let early = 0;
  const distances = fc.record({
    center: fc.double({ min: 0, max: 0.49, noNaN: true }),
    spread: fc.double({ min: 0, max: 0.3, noNaN: true }),
    places: fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: ALL, maxLength: ALL }),
    /** Above 1, most vectors lie near the center and a few far from it. */
    power: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(distances, ({ center, spread, places, power }) => {
      const vectors = places.map((place) =>
        Math.min(0.499, Math.max(0, center + spread * Math.sign(place) * Math.abs(place) ** power))
      );
      const first = driftOf(vectors.slice(0, VECTORS_MIN));
      if (!first.isDecided(LIMITS)) return;
      early += 1;
      assert.equal(verdictOf(first), verdictOf(driftOf(vectors)));
    }),
    { numRuns: 500, seed: 18 },
  );
  assert.ok(early > 50, `${early} of 500 were decided early`);
});
