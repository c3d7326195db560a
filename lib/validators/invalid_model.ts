import { RefusedError } from "../core/errors.ts";

/** How the hints of refusals end on the machine that activates a release. */
const UNTOUCHED = "the active release is untouched";

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
    { imports = [], verb = "activate", ...details }: {
      readonly verb?: "activate" | "publish";
      readonly hint?: string;
      readonly cause?: unknown;
      readonly imports?: readonly string[];
    } = {},
  ) {
    super(`Cannot ${verb} ${path === "" ? "the release" : path}: ${problem}`, {
      code: "VALIDATION_FAILED",
      hint: `publish a corrected release; ${UNTOUCHED}`,
      ...details,
    });
    this.path = path;
    this.problem = problem;
    this.imports = imports;
  }

  /** Returns this refusal in the words of a publisher, with the way to publish the models anyway. */
  atPublisher(): InvalidModelError {
    const { path, problem, imports, hint = "" } = this;
    const correction = hint.replace(UNTOUCHED, "nothing was published");
    return new InvalidModelError(path, problem, {
      verb: "publish",
      imports,
      cause: this,
      hint:
        `${correction}. Pulls with these checks would refuse the release. To publish it for clients that allow ` +
        "it, set activation.validate.enabled: false here",
    });
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
