import type { ValidateSettings } from "../config/sections/validate.ts";
import type { Context } from "../core/context.ts";
import type { Sha256 } from "../core/hash.ts";

/** A release that is to be activated, staged and verified. */
export interface ValidationRequest {
  readonly files: readonly ModelFile[];
  /** Where they are assembled. */
  readonly dir: string;
  readonly digest: string;
  /** When it was published, ISO 8601. */
  readonly createdAt: string;
  /** The release that consumers see now. */
  readonly active: { readonly dir: string; readonly files: readonly ModelFile[] } | undefined;
  readonly settings: ValidateSettings;
}

/** A file to be looked at. */
export interface CheckJob {
  readonly context: Context;
  readonly file: ModelFile;
  /** The file of the same path in the active release. */
  readonly before: ModelFile | undefined;
  readonly request: ValidationRequest;
}

/** A format: which files are of it, and what is looked at in them. */
export interface Checker {
  /** What it is called in the log. */
  readonly format: string;
  /** The ends of names that promise it, in lower case. */
  readonly extensions: readonly string[];
  /**
   * Whether nothing but the file and the active release decide, so that a file that the active release has at the same
   * path need not be looked at again.
   */
  readonly passesUnchanged: boolean;
  /** Whether a file begins as the format does. @param head its first {@link HEAD_BYTES}, fewer if it ends before */
  looksLike(head: Uint8Array, file: ModelFile): boolean;
  /** Whether a file ends as the format does, which some programs go by, whatever it begins with. */
  endsLike?(file: Deno.FsFile, size: number): boolean;
  /** @throws {InvalidModelError} */
  check(job: CheckJob): void | Promise<void>;
}

/** How much of each file is read to know what it is: room for the first names in an archive or in a header. */
export const HEAD_BYTES = 4096;

/** A file whose bytes were verified, where it can be looked at before anybody loads it. */
export interface ModelFile {
  /** As the manifest names it: relative, with `/`. */
  readonly path: string;
  /** Where it is on this machine. */
  readonly location: string;
  readonly size: number;
  readonly sha256: Sha256;
}
