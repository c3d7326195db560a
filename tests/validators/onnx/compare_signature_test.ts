import assert from "node:assert/strict";
import { compareSignature } from "../../../lib/validators/onnx/compare_signature.ts";
import type { ExpectedSignature } from "../../../lib/validators/onnx/compare_signature.ts";
import type { OnnxShape, OnnxValue } from "../../../lib/validators/onnx/value_info.ts";
import { OutputDrift } from "../../../lib/validators/onnx/output_drift.ts";

function value(name: string, type: string, shape?: OnnxShape): OnnxValue {
  return { name, type, shape };
}

const ACTIVE = {
  inputs: [value("features", "float32", ["batch", 12])],
  outputs: [value("label", "int64", [null]), value("probabilities", "float32", [null, 3])],
};

function compared(changed: Partial<typeof ACTIVE>, expect: readonly ExpectedSignature[] = []) {
  return compareSignature("BTC/model.onnx", { ...ACTIVE, ...changed }, ACTIVE, expect);
}

Deno.test("a model fits with the active model's signature, and without an active model", () => {
  assert.equal(compared({}), undefined);
  assert.equal(compareSignature("a.onnx", ACTIVE, undefined, []), undefined);
});

Deno.test("open and unknown sizes match any size, and so does a missing shape", () => {
  assert.equal(compared({ inputs: [value("features", "float32", ["rows", "width"])] }), undefined);
  assert.equal(compared({ outputs: [value("label", "int64", [1]), ...ACTIVE.outputs.slice(1)] }), undefined);
  assert.equal(compared({ inputs: [value("features", "float32", [null, 12])] }), undefined);
  assert.equal(compared({ inputs: [value("features", "float32")] }), undefined);
});

Deno.test("an input that was open and now has a fixed size does not fit", () => {
  const fixed = value("features", "float32", [1, 12]);
  assert.equal(
    compared({ inputs: [fixed] }),
    `its input "features" is float32[1,12], the active model's is float32[batch,12]`,
  );
  // A fixed size may become open, and an expected signature defines what consumers feed.
  assert.equal(compareSignature("m.onnx", ACTIVE, { ...ACTIVE, inputs: [fixed] }, []), undefined);
  const expected = [{ name: "features", type: "float32", shape: [null, 12] }];
  assert.equal(compared({ inputs: [fixed] }, [{ inputs: expected }]), undefined);
});

const CHANGES: readonly (readonly [string, Partial<typeof ACTIVE>, string])[] = [
  [
    "another width",
    { inputs: [value("features", "float32", [null, 11])] },
    `its input "features" is float32[?,11], the active model's is float32[batch,12]`,
  ],
  [
    "another type",
    { inputs: [value("features", "float64", ["batch", 12])] },
    `its input "features" is float64[batch,12], the active model's is float32[batch,12]`,
  ],
  [
    "another number of dimensions",
    { inputs: [value("features", "float32", ["batch", 1, 12])] },
    `its input "features" is float32[batch,1,12], the active model's is float32[batch,12]`,
  ],
  [
    "another name",
    { inputs: [value("x", "float32", ["batch", 12])] },
    'it lacks the input "features" of the active model; its inputs are "x"',
  ],
  [
    "one more input",
    { inputs: [...ACTIVE.inputs, value("mask", "bool", [null])] },
    `it has the input "mask", the active model's are "features"`,
  ],
  [
    "one output less",
    { outputs: ACTIVE.outputs.slice(0, 1) },
    'it lacks the output "probabilities" of the active model; its outputs are "label"',
  ],
  [
    "outputs in another order",
    { outputs: ACTIVE.outputs.toReversed() },
    `its output 1 is "probabilities", the active model's is "label"`,
  ],
  [
    "an output that is put before the others",
    { outputs: [value("score", "float32"), ...ACTIVE.outputs] },
    `its output 1 is "score", the active model's is "label"`,
  ],
];

for (const [name, changed, problem] of CHANGES) {
  Deno.test(`${name} does not fit, and the problem is named`, () => assert.equal(compared(changed), problem));
}

Deno.test("a new output may follow the others", () => {
  assert.equal(compared({ outputs: [...ACTIVE.outputs, value("score", "float32")] }), undefined);
});

Deno.test("expected inputs and expected outputs each replace those of the active model", () => {
  const inputs = [value("features", "float32", [null, 11])];
  const expected = [{ inputs: [{ name: "features", type: "float32", shape: [null, 11] }] }];
  assert.equal(compared({ inputs }, expected), undefined);
  assert.equal(
    compared({}, expected),
    `its input "features" is float32[batch,12], expected is float32[?,11]`,
  );
  assert.match(
    compared({ inputs, outputs: [] }, expected) ?? "",
    /it lacks the output "label" of the active model/,
  );
  assert.equal(compared({ outputs: [] }, [{ outputs: [] }]), undefined);
});

Deno.test("an expected signature may omit types and shapes, and applies to the models whose path matches", () => {
  const wide = { inputs: [value("features", "float64", [null, 99])] };
  const open = { inputs: [{ name: "features" }] };
  assert.equal(compared(wide, [open]), undefined);
  assert.equal(compared(wide, [{ ...open, path: "BTC/*" }]), undefined);
  assert.match(compared(wide, [{ ...open, path: "ETH/*" }]) ?? "", /the active model's is float32/);
  const first = { path: "*.onnx", inputs: [{ name: "features", type: "int64" }] };
  assert.equal(
    compared({}, [first, open]),
    `its input "features" is float32[batch,12], expected is int64`,
  );
});

function verdict(width: number, ...rows: readonly (readonly [readonly number[], readonly number[]])[]) {
  const drift = new OutputDrift();
  for (const [active, output] of rows) drift.add(active, output, width);
  return drift.verdict();
}

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);
}

Deno.test("drift is the mean total variation and the mean divergence over all rows", () => {
  const found = verdict(2, [[0.5, 0.5, 1, 0], [0.5, 0.5, 0.5, 0.5]], [[0.9, 0.1], [0.6, 0.4]]);
  assert.ok(found.kind === "drift");
  near(found.drift.totalVariation, (0 + 0.5 + 0.3) / 3);
  // 0 counts as 1e-10.
  const floor = 1e-10 * Math.log(1e-10 / 0.5);
  const third = 0.9 * Math.log(0.9 / 0.6) + 0.1 * Math.log(0.1 / 0.4);
  near(found.drift.klDivergence, (0 + Math.log(2) + floor + third) / 3);
});

Deno.test("a divergence is finite even for a probability of 0", () => {
  const found = verdict(2, [[0.5, 0.5], [1, 0]]);
  assert.ok(found.kind === "drift");
  near(found.drift.klDivergence, 0.5 * Math.log(0.5) + 0.5 * Math.log(0.5 / 1e-10));
});

Deno.test("a single number between 0 and 1 is the probability of one of two outcomes", () => {
  const found = verdict(1, [[0.9], [0.6]]);
  assert.ok(found.kind === "drift");
  near(found.drift.totalVariation, 0.3);
  near(found.drift.klDivergence, 0.9 * Math.log(0.9 / 0.6) + 0.1 * Math.log(0.1 / 0.4));
});

Deno.test("an output that is not a distribution is judged only if the active model's is one", () => {
  assert.equal(verdict(2, [[3, -1], [2, 5]]).kind, "no distributions");
  assert.equal(verdict(1, [[0.5], [7]]).kind, "no distributions");
  assert.equal(verdict(0, [[], []]).kind, "no distributions");
  assert.equal(verdict(2, [[0.5, 0.5], [0.5, 0.5]], [[3, -1], [2, 5]]).kind, "no distributions");
  const lost = verdict(2, [[0.5, 0.5], [0.5, 0.5]], [[0.1, 0.9], [2, 5]]);
  assert.deepEqual(lost, { kind: "no longer distributions", sum: 7 });
});
