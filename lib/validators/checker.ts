import type { ValidateSettings } from "../config/sections/validate.ts";
import type { SeekableFile } from "../archive/file_range.ts";
import type { Context } from "../core/context.ts";
import type { Sha256 } from "../core/hash.ts";
import type { TrialMemory } from "./onnx/trial_memory.ts";

/** Files that passed the checks in an earlier release. */
export interface PassedFiles {
  /** Whether a file of the present release was in it, too, at the same path. */
  has(file: Pick<ModelFile, "path" | "sha256">): boolean;
  /** Whether they passed under the present rules. */
  readonly hasSameRules: boolean;
  /** The files of the present release that it does not have, if they are known without a comparison. */
  readonly others?: OtherFiles;
}

/** The few files that changed in a release of many, and those of all its files that have to be found by their names. */
export interface OtherFiles {
  readonly files: readonly ModelFile[];
  /** Returns the files of the present release whose paths end like one of these texts in lower case. */
  findEnding(ends: readonly string[]): readonly ModelFile[];
}

/** The files of the active release. */
export interface ActiveFiles {
  readonly dir: string;
  readonly files: readonly ModelFile[];
  /** Finds a file without a list of all, if that is possible. */
  readonly find?: (path: string) => ModelFile | undefined;
  /** The files of the present release that it does not have, if they are known without a comparison. */
  readonly others?: OtherFiles | undefined;
}

/** A staged and verified release that is to be activated. */
export interface ValidationRequest {
  readonly files: readonly ModelFile[];
  /** The folder in which they are staged. */
  readonly dir: string;
  readonly digest: string;
  /** When it was published, ISO 8601. */
  readonly createdAt: string;
  /** The active release; `undefined` before the first activation. */
  readonly active: ActiveFiles | undefined;
  /**
   * Under which rules the files of the active release passed the checks. Default: `unknown`, as of a release that was
   * activated without checks.
   */
  readonly activePassed?: "same-rules" | "other-rules" | "unknown" | undefined;
  /** Files that passed the checks in an earlier release. They need not be loaded again. */
  readonly passed?: PassedFiles | undefined;
  readonly settings: ValidateSettings;
}

/** Whether the files of the active release passed the checks, under any rules. */
export function hasActivePassed(
  { activePassed = "unknown" }: Pick<ValidationRequest, "activePassed">,
): boolean {
  return activePassed !== "unknown";
}

/** A file to check. */
export interface CheckJob {
  readonly context: Context;
  readonly file: ModelFile;
  /** The file with the same path in the active release. */
  readonly before: ModelFile | undefined;
  readonly request: ValidationRequest;
  /** The memory that concurrent trials of models share. */
  readonly memory: TrialMemory;
}

/** A file format: how its files are recognised and checked. */
export interface Checker {
  /** Its name in the log. */
  readonly format: string;
  /** The file name extensions, in lower case. */
  readonly extensions: readonly string[];
  /** Whether a file that passed in the active release passes without a check: only its bytes decide. */
  readonly passesUnchanged: boolean;
  /** Whether it also passes if the rules are those under which the same file passed before. Implied by the field above. */
  readonly passesWithSameRules?: boolean;
  /** Whether another program reads the file, which therefore has to be on the disk. */
  readonly needsDisk?: boolean;
  /**
   * Whether a file begins like the format. Without this and {@link endsLike}, only the name decides.
   *
   * @param head its first {@link HEAD_BYTES}, or all of a shorter file
   */
  looksLike?(head: Uint8Array, file: ModelFile): boolean;
  /** Whether a file ends like the format, for formats that programs recognise by their end. */
  endsLike?(content: SeekableFile, size: number): boolean;
  /** @throws {InvalidModelError} */
  check(job: CheckJob): void | Promise<void>;
}

/** How much of each file is read to recognise its format: enough for the first names in an archive or a header. */
export const HEAD_BYTES = 4096;

/** A verified file of a release, which no consumer has loaded yet. */
export interface ModelFile {
  /** As the manifest names it: relative, with `/`. */
  readonly path: string;
  /** Its path on this machine. */
  readonly location: string;
  readonly size: number;
  readonly sha256: Sha256;
  /** Its content during a check, if that is in memory. */
  readonly bytes?: Uint8Array;
}
