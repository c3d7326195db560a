import type { OnnxShape } from "./value_info.ts";

/** What is checked of ONNX models: `activation.validate.onnx`, with the names of the configuration. */
export interface OnnxSettings {
  /** How many vectors are made up, 0 for none; or the path of a JSON file with vectors. */
  readonly sanity_vectors: number | string;
  /** The largest mean total variation distance from the active model's outputs, 0 to 1. */
  readonly max_total_variation: number;
  /** The largest mean Kullback-Leibler divergence from the active model's outputs, in nats. */
  readonly max_kl_divergence: number;
  /** How long loading one model and computing its vectors may take. */
  readonly timeout_seconds: number;
  /** Models that are not loaded, with `*` and `?`. */
  readonly structure_only: readonly string[];
  /** What models have to look like; what it says counts in place of the active model's. */
  readonly expect: readonly ExpectedSignature[];
}

/** The signature that models have to have; what is left out is not asked for. */
export interface ExpectedSignature {
  /** The models that are meant, with `*` and `?`; all of them without it. Of several entries the first counts. */
  readonly path?: string | undefined;
  /** All inputs that a model may have. */
  readonly inputs?: readonly ExpectedValue[] | undefined;
  /** Outputs that a model has to have; others may be there. */
  readonly outputs?: readonly ExpectedValue[] | undefined;
}

export interface ExpectedValue {
  readonly name: string;
  /** `float32`, `int64`, `string`, as errors show it; any without it. */
  readonly type?: string | undefined;
  /** Numbers; texts and nulls stand for any size. */
  readonly shape?: OnnxShape | undefined;
}
