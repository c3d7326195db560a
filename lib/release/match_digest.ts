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

/** Digits alone are a sequence number first. The prefix `sha256:` marks a digest. */
const SEQUENCE = /^\d{1,16}$/;

/** The releases that a typed name may mean. */
export interface NamedReleases {
  /** What holds them, for errors: `the store`. */
  readonly holder: string;
  readonly digests: readonly Digest[];
  /** Returns those with a known sequence number. Called for digits only, because it may read every manifest. */
  readonly numbered: () => readonly { readonly digest: Digest; readonly sequence: number }[];
}

/**
 * Returns the only release with a typed sequence number or digest prefix.
 *
 * @param action the action, for errors: `roll back to`
 * @throws {UsageError} codes `SEQUENCE_AMBIGUOUS`, `DIGEST_INVALID`, `DIGEST_AMBIGUOUS`; {@link RefusedError} code
 * `RELEASE_MISSING`
 */
export function matchRelease(typed: string, action: string, releases: NamedReleases): Digest {
  const numbered = matchSequence(typed, action, releases);
  if (numbered !== undefined) return numbered;
  if (!DIGEST_PREFIX.test(typed)) {
    throw new UsageError(
      `Cannot ${action} "${typed}": it is neither a sequence number nor the beginning of a digest, ` +
        `which has ${PREFIX_DIGITS_MIN} to 64 hexadecimal digits`,
      { code: "DIGEST_INVALID", hint: "run model-sync status: it lists the releases with both" },
    );
  }
  return matchDigest(typed, releases.digests, action, releases.holder);
}

function matchSequence(
  typed: string,
  action: string,
  { holder, numbered }: NamedReleases,
): Digest | undefined {
  if (!SEQUENCE.test(typed)) return undefined;
  const known = numbered();
  const found = new Set(known.flatMap(({ digest, sequence }) => sequence === Number(typed) ? [digest] : []));
  if (found.size > 1) {
    throw new UsageError(`Cannot ${action} sequence ${typed}: several releases have it`, {
      code: "SEQUENCE_AMBIGUOUS",
      hint: `name one by its digest: ${[...found].map(shortDigest).join(", ")}`,
    });
  }
  if (found.size === 0 && typed.length < PREFIX_DIGITS_MIN) {
    throw new RefusedError(`Cannot ${action} sequence ${typed}: ${holder} holds no release with it`, {
      code: "RELEASE_MISSING",
      hint: known.length === 0
        ? `${holder} holds no release with a known sequence number`
        : `it holds the sequences: ${[...new Set(known.map(({ sequence }) => sequence))].join(", ")}`,
    });
  }
  const [only] = found;
  return only;
}
