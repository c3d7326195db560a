import { UsageError } from "../core/errors.ts";
import type { ObjectFormat } from "./object_id.ts";

/** A clone with another object format than its registry: git cannot transfer objects between them. */
export class ObjectFormatError extends UsageError {
  /** The format that the registry has. */
  readonly wanted: ObjectFormat;

  constructor(repoDir: string, wanted: ObjectFormat) {
    super(
      `Cannot use the clone ${repoDir}: the registry names its objects by ${wanted}, the clone by ${
        other(wanted)
      }`,
      { code: "GIT_OBJECT_FORMAT", hint: "move the clone away and clone the registry again" },
    );
    this.wanted = wanted;
  }
}

/** Git has two formats. */
function other(format: ObjectFormat): ObjectFormat {
  return format === "sha1" ? "sha256" : "sha1";
}

/** Git's messages about different formats, of several versions and protocols, for fetches and pushes. */
const MISMATCH =
  /mismatched algorithms|does not support this repository's (?:hash algorithm|object format)|object.format mismatch/i;

/**
 * Returns the error if git failed because the clone and the registry have different object formats.
 *
 * @param ours the clone's format
 */
export function findFormatMismatch(
  stderr: string,
  repoDir: string,
  ours: ObjectFormat,
): ObjectFormatError | undefined {
  return MISMATCH.test(stderr) ? new ObjectFormatError(repoDir, other(ours)) : undefined;
}
