import * as z from "zod";
import { DRIFT_SETTINGS, PICKLE_SETTINGS } from "../choices.ts";
import { DOCS, LocalPath } from "./kinds.ts";

/** More inputs show no more, and each is computed twice. */
const SANITY_VECTORS_MAX = 100_000;

const Bytes = z.number().int().positive().max(Number.MAX_SAFE_INTEGER);
const Pattern = z.string().min(1).max(1_000);
const Seconds = z.number().positive().max(86_400);

/** A required input or output of a model. Missing keys allow anything. */
const ExpectedTensor = z.strictObject({
  name: z.string().min(1),
  /** The type by ONNX Runtime's name: `float32`, `int64`, `string`. */
  type: z.string().min(1).optional(),
  /** A number for a fixed dimension, a word or null for a free one: `["batch", 11]`. */
  shape: z.array(z.union([z.number().int().min(0), z.string().min(1), z.null()])).max(64).optional(),
});

const ExpectedModel = z.strictObject({
  /** A pattern of model paths. Default: every model. */
  path: Pattern.optional(),
  inputs: z.array(ExpectedTensor).max(1_000).optional(),
  outputs: z.array(ExpectedTensor).max(1_000).optional(),
});

const Onnx = z.strictObject({
  sanity_vectors: z.union([
    z.number().int().min(0).max(SANITY_VECTORS_MAX),
    LocalPath,
  ]).default(200).register(DOCS, {
    description:
      "How many generated inputs to run each model with, or the path of a JSON file with inputs; 0 for none. A " +
      "release is refused if outputs are NaN or infinite, or too far from the active model's. Without an active " +
      "model, at most 8 inputs are generated, and NaN is a warning. A slow model gets fewer, at least 24, if the " +
      "distances from the active model's outputs are far from their limits.",
  }),
  max_total_variation: z.number().min(0).max(1).default(0.2).register(DOCS, {
    description:
      "The largest allowed distance from the active model's outputs: the mean total variation, 0 to 1.",
  }),
  max_kl_divergence: z.number().min(0).default(0.25).register(DOCS, {
    description: "The same, measured as the mean Kullback-Leibler divergence.",
  }),
  timeout_seconds: Seconds.default(60).register(DOCS, {
    description: "The time limit for one model, in seconds. A model that takes longer is refused.",
  }),
  structure_only: z.array(Pattern).max(10_000).default([]).register(DOCS, {
    description:
      "Patterns of models that are not loaded: only their structure, external data, inputs and outputs are " +
      "checked. For operators or types that the built-in ONNX Runtime lacks, such as custom domains and bfloat16.",
    examples: [["*/custom_*.onnx"]],
  }),
  expect: z.array(ExpectedModel).max(1_000).default([]).register(DOCS, {
    description:
      "The required inputs and outputs of models, by path: name, type and shape. Default: the inputs and outputs " +
      "of the active model.",
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
      "What to do if tensors are new or missing, or have another shape or type than in the active release: warn, " +
      "refuse or ignore.",
  }),
});

const Gguf = z.strictObject({
  shape_drift: z.enum(DRIFT_SETTINGS).default("warn").register(DOCS, {
    description:
      "What to do if the tensors differ from those of the active release, as for safetensors files.",
  }),
});

const Pickle = z.strictObject({
  policy: z.enum(PICKLE_SETTINGS).default("check").register(DOCS, {
    description:
      "check: refuse files with imports that the allow-list does not contain. refuse: refuse every pickle file. " +
      "ignore: accept every import.",
  }),
  allow: z.array(
    z.string().max(1_000).regex(/^\w+(\.\w+)*(\.\*)?$/, "must be package.Class, or package.* for all of it"),
  ).max(10_000).default([]).register(DOCS, {
    description:
      "Imports to allow beside the built-in list, which covers common model libraries: package.Class, or " +
      "package.* for a whole package.",
    examples: [["my_bot.features.Scaler"]],
  }),
});

/** The section `activation.validate`: checks before a release is activated. No code of a model is executed. */
export const Validate = z.strictObject({
  enabled: z.boolean().default(true).register(DOCS, {
    description: "false: activate every complete release without these checks.",
  }),
  required_files: z.array(Pattern).max(10_000).default([]).register(DOCS, {
    description:
      "Patterns. Each must match a file of the release. * matches any text including /, ? matches one " +
      "character.",
    examples: [["*/rf.joblib", "metadata.json"]],
  }),
  max_file_bytes: Bytes.optional().register(DOCS, {
    description: "The largest allowed file, in bytes.",
    examples: [2_000_000_000],
  }),
  max_total_bytes: Bytes.optional().register(DOCS, {
    description: "The largest allowed size of all files together, in bytes.",
    examples: [20_000_000_000],
  }),
  max_shrink: z.number().min(0).max(1).optional().register(DOCS, {
    description:
      "The largest allowed decrease compared with the active release, as a fraction of its files and of its " +
      "bytes: 0.5 is half.",
    examples: [0.5],
  }),
  max_growth: z.number().min(0).max(1_000).optional().register(DOCS, {
    description: "The largest allowed increase, measured the same way: 1 is twice the size.",
    examples: [1],
  }),
  max_age_hours: z.number().positive().max(1_000_000).optional().register(DOCS, {
    description: "The largest allowed age of a release at its activation, in hours since it was published.",
    examples: [48],
  }),
  onnx: Onnx.prefault({}).register(DOCS, {
    description: "ONNX models: each is loaded and run with generated inputs.",
  }),
  safetensors: Safetensors.prefault({}).register(DOCS, {
    description: "safetensors files: the header of each file is checked.",
  }),
  gguf: Gguf.prefault({}).register(DOCS, { description: "GGUF files: the header of each file is checked." }),
  pickle: Pickle.prefault({}).register(DOCS, {
    description: "pickle and joblib files: their imports are checked, and nothing is executed.",
  }),
  validate_command: z.array(z.string().min(1)).min(1).optional().register(DOCS, {
    description:
      "Your own check: a program and its arguments, as a list. It gets the read-only folder of the new release " +
      "as its last argument. Any exit code but 0 refuses the release.",
    examples: [["python3", "scripts/check_models.py"]],
  }),
  validate_timeout_seconds: Seconds.default(300).register(DOCS, {
    description:
      "The time limit of validate_command, in seconds. Then it is stopped, and the release is refused.",
  }),
});
export type ValidateSettings = z.infer<typeof Validate>;
