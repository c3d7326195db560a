import { RefusedError, UsageError } from "../core/errors.ts";
import { type Digest, shortDigest } from "./manifest.ts";

/** A shorter prefix could too easily be a typing mistake. */
export const PREFIX_DIGITS_MIN = 4;

/** A digest or a prefix of one. */
export const DIGEST_PREFIX = /^(?:sha256:)?([0-9a-f]{4,64})$/i;

/**
 * Returns the only digest with the typed prefix.
 *
 * @param typed a digest or a prefix of one, with or without `sha256:`
 * @param action the action, for errors: `roll back to`
 * @param holder the holder of the candidates, for errors: `the store`
 * @throws {UsageError} code `DIGEST_INVALID` or `DIGEST_AMBIGUOUS`; {@link RefusedError} code `RELEASE_MISSING`
 */
export function matchDigest(
  typed: string,
  candidates: readonly Digest[],
  action: string,
  holder: string,
): Digest {
  const prefix = DIGEST_PREFIX.exec(typed)?.[1]?.toLowerCase();
  if (prefix === undefined) {
    throw new UsageError(
      `Cannot ${action} "${typed}": it is not a digest, which has ${PREFIX_DIGITS_MIN} to 64 hexadecimal digits`,
      { code: "DIGEST_INVALID", hint: "run model-sync status: it lists the releases" },
    );
  }
  const found = candidates.filter((digest) => digest.startsWith(`sha256:${prefix}`));
  const [only] = found;
  if (found.length === 1 && only !== undefined) return only;
  if (found.length > 1) {
    throw new UsageError(`Cannot ${action} "${typed}": several releases have this prefix`, {
      code: "DIGEST_AMBIGUOUS",
      hint: `it is one of: ${found.map(shortDigest).join(", ")}`,
    });
  }
  throw new RefusedError(`Cannot ${action} "${typed}": ${holder} holds no such release`, {
    code: "RELEASE_MISSING",
    hint: `it holds: ${candidates.map(shortDigest).join(", ") || "none"}`,
  });
}
