import assert from "node:assert/strict";
import { Validate } from "../../lib/config/sections/validate.ts";

Deno.test("activation.validate by default runs every check that needs no knowledge of the models", () => {
  assert.deepEqual(Validate.parse({}), {
    enabled: true,
    required_files: [],
    onnx: {
      sanity_vectors: 200,
      max_total_variation: 0.2,
      max_kl_divergence: 0.25,
      timeout_seconds: 60,
      structure_only: [],
      expect: [],
    },
    safetensors: { shape_drift: "warn" },
    gguf: { shape_drift: "warn" },
    pickle: { policy: "check", allow: [] },
    validate_timeout_seconds: 300,
  });
});

Deno.test("activation.validate accepts fractions as durations, and a count or a file as sanity_vectors", () => {
  const onnx = (sanity_vectors: unknown) => Validate.parse({ onnx: { sanity_vectors } }).onnx.sanity_vectors;
  assert.equal(onnx(0), 0);
  assert.equal(onnx("data/vectors.json"), "data/vectors.json");
  const settings = Validate.parse({
    max_age_hours: 0.001,
    validate_timeout_seconds: 0.5,
    onnx: { timeout_seconds: 0.25 },
  });
  assert.equal(settings.max_age_hours, 0.001);
  assert.equal(settings.validate_timeout_seconds, 0.5);
  assert.equal(settings.onnx.timeout_seconds, 0.25);
});

Deno.test("activation.validate refuses values that would check nothing or the wrong thing", () => {
  const bad: unknown[] = [
    { shape_drift: "refuse" },
    { safetensors: { shape_drift: true } },
    { pickle: { allow: ["os system"] } },
    { pickle: { allow: ["*"] } },
    { pickle: { allow: [""] } },
    { pickle: { policy: "off" } },
    { max_shrink: 1.5 },
    { max_growth: -0.1 },
    { max_age_hours: 0 },
    { max_file_bytes: 0.5 },
    { onnx: { sanity_vectors: -1 } },
    { onnx: { sanity_vectors: "" } },
    { onnx: { max_total_variation: 2 } },
    { onnx: { expect: [{ inputs: [{ type: "float32" }] }] } },
    { validate_command: [] },
    { validate_command: "python3 check.py" },
    { validate_timeout_seconds: 0 },
    { required_files: [""] },
  ];
  for (const value of bad) assert.equal(Validate.safeParse(value).success, false, JSON.stringify(value));
});

Deno.test("activation.validate.onnx.expect accepts its documented example", () => {
  const expect = [{
    path: "*.onnx",
    inputs: [{ name: "features", type: "float32", shape: ["batch", 11] }],
    outputs: [{ name: "probabilities", shape: [null, 3] }],
  }, { outputs: [] }];
  assert.deepEqual(Validate.parse({ onnx: { expect } }).onnx.expect, expect);
});
