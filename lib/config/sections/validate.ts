import { z } from "zod";
import { DRIFT_SETTINGS, PICKLE_SETTINGS } from "../../core/settings.ts";
import { DOCS } from "./kinds.ts";

/** More vectors tell no more, and each is computed twice. */
const SANITY_VECTORS_MAX = 100_000;

const Bytes = z.number().int().positive().max(Number.MAX_SAFE_INTEGER);
const Pattern = z.string().min(1).max(1_000);
const Seconds = z.number().positive().max(86_400);

/** What a model has to take or to give; what is left out may be anything. */
const ExpectedTensor = z.strictObject({
  name: z.string().min(1),
  /** As ONNX Runtime names it: `float32`, `int64`, `string`. */
  type: z.string().min(1).optional(),
  /** A number for each fixed dimension, a word or null for one that is free: `["batch", 11]`. */
  shape: z.array(z.union([z.number().int().min(0), z.string().min(1), z.null()])).max(64).optional(),
});

const ExpectedModel = z.strictObject({
  /** Which files it is about; without it, every model. */
  path: Pattern.optional(),
  inputs: z.array(ExpectedTensor).max(1_000).optional(),
  outputs: z.array(ExpectedTensor).max(1_000).optional(),
});

const Onnx = z.strictObject({
  sanity_vectors: z.union([
    z.number().int().min(0).max(SANITY_VECTORS_MAX),
    z.string().min(1),
  ]).default(200).register(DOCS, {
    description:
      "How many made-up inputs a model is tried with: its outputs may not be NaN or infinite, and not be too far from the " +
      "active model's. 0: none. Or the path of a JSON file with the inputs. Without an active model, at most 8 inputs are " +
      "made up, and NaN for one of them is a warning.",
  }),
  max_total_variation: z.number().min(0).max(1).default(0.2).register(DOCS, {
    description:
      "How far the outputs may be from the active model's at most: the mean total variation, 0 to 1.",
  }),
  max_kl_divergence: z.number().min(0).default(0.25).register(DOCS, {
    description: "The same, measured as the mean Kullback-Leibler divergence.",
  }),
  timeout_seconds: Seconds.default(60).register(DOCS, {
    description: "The longest time for one model, in seconds. It is refused when it takes longer.",
  }),
  structure_only: z.array(Pattern).max(10_000).default([]).register(DOCS, {
    description:
      "Models that are not loaded, as patterns of their paths: their structure, external data, inputs and outputs are " +
      "checked. For those with operators or types that this ONNX Runtime lacks, such as custom domains or bfloat16.",
    examples: [["*/custom_*.onnx"]],
  }),
  expect: z.array(ExpectedModel).max(1_000).default([]).register(DOCS, {
    description:
      "What the models have to take and give, by path: name, type and shape of inputs and outputs. Without an entry, what " +
      "the active model takes and gives.",
    examples: [[{
      path: "*.onnx",
      inputs: [{ name: "features", type: "float32", shape: ["batch", 11] }],
      outputs: [{ name: "probabilities", type: "float32", shape: ["batch", 3] }],
    }]],
  }),
});

const Safetensors = z.strictObject({
  shape_drift: z.enum(DRIFT_SETTINGS).default("warn").register(DOCS, {
    description:
      "When tensors are new, missing, or of another shape or type than in the active release: warn, refuse or ignore.",
  }),
});

const Gguf = z.strictObject({
  shape_drift: z.enum(DRIFT_SETTINGS).default("warn").register(DOCS, {
    description: "The same for GGUF files.",
  }),
});

const Pickle = z.strictObject({
  policy: z.enum(PICKLE_SETTINGS).default("check").register(DOCS, {
    description:
      "check: pickle and joblib files may import what the allow-list has. refuse: none are activated. ignore: whatever " +
      "they import.",
  }),
  allow: z.array(
    z.string().max(1_000).regex(/^\w+(\.\w+)*(\.\*)?$/, "must be package.Class, or package.* for all of it"),
  ).max(10_000).default([]).register(DOCS, {
    description: "What pickle files may import besides what the common libraries for models need.",
    examples: [["my_bot.features.Scaler"]],
  }),
});

/** What has to hold for a release before it is activated. Nothing of a model is executed by it. */
export const Validate = z.strictObject({
  enabled: z.boolean().default(true).register(DOCS, {
    description: "false activates whatever arrived whole.",
  }),
  required_files: z.array(Pattern).max(10_000).default([]).register(DOCS, {
    description:
      "Patterns of which each has to match a file of the release: * is any text, also with /, ? one character.",
    examples: [["*/rf.joblib", "metadata.json"]],
  }),
  max_file_bytes: Bytes.optional().register(DOCS, {
    description: "The largest file of a release, in bytes.",
    examples: [2_000_000_000],
  }),
  max_total_bytes: Bytes.optional().register(DOCS, {
    description: "What the files of a release may be together, in bytes.",
    examples: [20_000_000_000],
  }),
  max_shrink: z.number().min(0).max(1).optional().register(DOCS, {
    description:
      "How much smaller than the active release a new one may be, as a fraction of its files and of its bytes: 0.5 is half.",
    examples: [0.5],
  }),
  max_growth: z.number().min(0).max(1_000).optional().register(DOCS, {
    description: "How much larger, counted in the same way: 1 is twice as large.",
    examples: [1],
  }),
  max_age_hours: z.number().positive().max(1_000_000).optional().register(DOCS, {
    description: "How old a release may be when it is activated, in hours since it was published.",
    examples: [48],
  }),
  onnx: Onnx.prefault({}).register(DOCS, { description: "ONNX models: they are loaded and tried." }),
  safetensors: Safetensors.prefault({}).register(DOCS, {
    description: "safetensors: the header of each file is checked.",
  }),
  gguf: Gguf.prefault({}).register(DOCS, { description: "GGUF: the header of each file is checked." }),
  pickle: Pickle.prefault({}).register(DOCS, {
    description: "pickle and joblib: what they would import is read, and nothing is executed.",
  }),
  validate_command: z.array(z.string().min(1)).min(1).optional().register(DOCS, {
    description:
      "A program and its arguments, as a list, that has the last word: it gets the folder of the new release as its last " +
      "argument, read-only. Any exit code but 0 refuses the release.",
    examples: [["python3", "scripts/check_models.py"]],
  }),
  validate_timeout_seconds: Seconds.default(300).register(DOCS, {
    description: "validate_command is stopped when it takes longer, in seconds, and the release is refused.",
  }),
});
export type ValidateSettings = z.infer<typeof Validate>;
