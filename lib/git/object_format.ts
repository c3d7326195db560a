import { UsageError } from "../core/errors.ts";
import type { ObjectFormat } from "./object_id.ts";

/** A clone whose objects have names of another format than those of its registry: neither takes from the other. */
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

/** Git has two. */
function other(format: ObjectFormat): ObjectFormat {
  return format === "sha1" ? "sha256" : "sha1";
}

/** Git's messages about two formats, in its versions and protocols, of a fetch and of a push. */
const MISMATCH =
  /mismatched algorithms|does not support this repository's (?:hash algorithm|object format)|object.format mismatch/i;

/**
 * Returns the error of a git that failed because its clone has another object format than the registry.
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
