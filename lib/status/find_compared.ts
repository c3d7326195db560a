import { RefusedError, UsageError } from "../core/errors.ts";
import type { KnownFile } from "../release/file_changes.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import { DIGEST_PREFIX } from "../release/match_digest.ts";
import { claimedSigner } from "../signing/claimed_signer.ts";
import { readPointer } from "../store/pointers.ts";
import { findPublishedFiles, listPublishedFiles } from "../store/published_files.ts";
import { findManifest, findSignature, listManifestNames } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import type { KnownRelease } from "./known_releases.ts";

/** A release with its files, to compare it with another one. */
export interface ComparedRelease
  extends Pick<KnownRelease, "sequence" | "createdAt" | "carrier" | "revision" | "signer"> {
  /** `null` for the remote one, if its registry has no manifest. */
  readonly digest: Digest | null;
  /** The first files, by name: this machine keeps only some of a release that it published. */
  readonly files: readonly KnownFile[];
  /** The number of all files. */
  readonly total: number;
}

/** The releases of a machine, as `knownReleases()` returns them. */
export interface KnownReleases {
  readonly store: Store;
  readonly known: readonly KnownRelease[];
}

/** An ambiguous name is explained by so many releases. */
const NAMED_MAX = 5;

/** Digits alone are a sequence number first. */
const SEQUENCE = /^\d{1,16}$/;

/**
 * Returns a release of this machine with its files, also if only its manifest is left. Needs read permission.
 *
 * @param typed `active`, `previous`, a sequence number, a digest or its beginning
 * @throws {UsageError} codes `NO_RELEASE`, `RELEASE_UNCLEAR`, `RELEASE_AMBIGUOUS`; {@link RefusedError} codes
 * `RELEASE_MISSING`, `FILES_UNKNOWN`
 */
export function findCompared({ store, known }: KnownReleases, typed: string): ComparedRelease {
  const digest = typed === "active" || typed === "previous"
    ? pointed(store, known, typed)
    : named(store, known, typed);
  const about = known.find((one) => one.digest === digest);
  const facts = {
    digest,
    carrier: about?.carrier ?? null,
    revision: about?.revision ?? null,
    sequence: about?.sequence ?? null,
  };
  const manifest = findManifest(store, digest)?.manifest;
  if (manifest !== undefined) return { ...facts, ...ofManifest(store, manifest, facts.revision) };
  const published = findPublishedFiles(store, digest);
  if (published === undefined) {
    throw new RefusedError(`Cannot compare release ${shortDigest(digest)}: its list of files is gone`, {
      code: "FILES_UNKNOWN",
      hint: "the store keeps the lists of the releases that it holds and of the last ones published here",
    });
  }
  const { files, filesTotal: total } = published;
  return { ...facts, createdAt: about?.at ?? null, signer: about?.signer ?? null, files, total };
}

function ofManifest(
  store: Store,
  { digest, sequence, createdAt, origin, files }: Manifest,
  revision: string | null,
): Omit<ComparedRelease, "digest"> {
  return {
    sequence,
    createdAt,
    carrier: origin.carrier,
    revision: revision ?? origin.revision ?? null,
    signer: claimedSigner(findSignature(store, digest)),
    files,
    total: files.length,
  };
}

/** On a machine without an active release, the last release that it published counts as the active one. */
function pointed(store: Store, known: readonly KnownRelease[], name: "active" | "previous"): Digest {
  const active = readPointer(store, "current");
  const [newest, before] = active === undefined
    ? lastPublished(known)
    : [active, readPointer(store, "previous")];
  const digest = name === "active" ? newest : before;
  if (digest !== undefined) return digest;
  const why = active === undefined && newest !== undefined
    ? "this machine published only one"
    : "there is none on this machine";
  throw new UsageError(`Cannot compare the ${name} release: ${why}`, {
    code: "NO_RELEASE",
    hint: "name two releases; model-sync releases lists them",
  });
}

/** Returns the releases that this machine published last through the same carrier, newest first. */
function lastPublished(known: readonly KnownRelease[]): readonly (Digest | undefined)[] {
  const published = known.filter(({ state }) => state === "published")
    .sort((one, other) => (other.at ?? "").localeCompare(one.at ?? ""));
  const carrier = published[0]?.carrier;
  return published.filter((one) => one.carrier === carrier).map(({ digest }) => digest);
}

function named(store: Store, known: readonly KnownRelease[], typed: string): Digest {
  const numbered = SEQUENCE.test(typed) ? known.filter(({ sequence }) => sequence === Number(typed)) : [];
  const prefix = DIGEST_PREFIX.exec(typed)?.[1]?.toLowerCase();
  if (numbered.length === 0 && prefix === undefined && !SEQUENCE.test(typed)) {
    throw new UsageError(
      `Cannot compare "${typed}": it is neither active, previous, remote, a sequence number nor the beginning of a digest`,
      { code: "RELEASE_UNCLEAR", hint: LIST },
    );
  }
  const all = new Set([
    ...known.map(({ digest }) => digest),
    ...listManifestNames(store),
    ...listPublishedFiles(store),
  ]);
  const found = numbered.length > 0
    ? numbered.map(({ digest }) => digest)
    : [...all].filter((digest) => prefix !== undefined && digest.startsWith(`sha256:${prefix}`));
  const [only] = found;
  if (only === undefined) {
    throw new RefusedError(`Cannot compare "${typed}": this machine knows no such release`, {
      code: "RELEASE_MISSING",
      hint: LIST,
    });
  }
  if (found.length === 1) return only;
  throw new UsageError(`Cannot compare "${typed}": several releases have this name`, {
    code: "RELEASE_AMBIGUOUS",
    hint: `name one by its digest: ${found.slice(0, NAMED_MAX).map(shortDigest).join(", ")}`,
  });
}

const LIST = "model-sync releases lists the releases of this machine";
