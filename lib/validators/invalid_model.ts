import { RefusedError } from "../core/errors.ts";

/** The refusal of a release because of one of its files. The message says what was found and what was expected. */
export class InvalidModelError extends RefusedError {
  /** The file's path in the manifest; empty for a refusal of the release as a whole. */
  readonly path: string;
  /** The part of the message behind the path. */
  readonly problem: string;
  /** The imports of a pickle that are not allowed: `mybot.models.Scaler`. */
  readonly imports: readonly string[];

  /** @param problem completes "Cannot activate m.gguf: …": `its header is 12 bytes, expected 8 and 300 of JSON` */
  constructor(
    path: string,
    problem: string,
    { imports = [], ...details }: {
      readonly hint?: string;
      readonly cause?: unknown;
      readonly imports?: readonly string[];
    } = {},
  ) {
    super(`Cannot activate ${path === "" ? "the release" : path}: ${problem}`, {
      code: "VALIDATION_FAILED",
      hint: "publish a corrected release; the active release is untouched",
      ...details,
    });
    this.path = path;
    this.problem = problem;
    this.imports = imports;
  }
}

/** A problem in the bytes of a file. Readers of formats throw it; their callers add the file's name and the consequence. */
export class FormatProblem extends Error {
  override readonly name = "FormatProblem";
}

/** Returns the result of `read`, or the problem that it threw. */
export function orProblem<Found>(read: () => Found): Found | FormatProblem {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatProblem) return error;
    throw error;
  }
}
