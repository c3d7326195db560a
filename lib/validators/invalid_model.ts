import { RefusedError } from "../core/errors.ts";

/** A release is not activated, because of one of its files. Says what was found there and what was expected. */
export class InvalidModelError extends RefusedError {
  /** The file, as the manifest names it; empty where the whole release is meant. */
  readonly path: string;
  /** What is wrong, without the file: a part of the message. */
  readonly problem: string;
  /** What a pickle in it imports that is not allowed: `mybot.models.Scaler`. */
  readonly imports: readonly string[];

  /** @param problem what is wrong: `its header is 12 bytes, expected 8 and 300 of JSON` */
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
      hint: "publish a release that passes; the active one is untouched",
      ...details,
    });
    this.path = path;
    this.problem = problem;
    this.imports = imports;
  }
}

/** What is wrong with the bytes of a file, told where nobody knows yet which file it is and what follows from it. */
export class FormatProblem extends Error {
  override readonly name = "FormatProblem";
}

/** What `read` found, or the problem that it ran into. */
export function orProblem<Found>(read: () => Found): Found | FormatProblem {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatProblem) return error;
    throw error;
  }
}
