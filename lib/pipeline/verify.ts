import type { Context } from "../core/context.ts";
import { LockedError, RefusedError, UsageError } from "../core/errors.ts";
import { type Digest, type Manifest, releaseDigest, shortDigest } from "../release/manifest.ts";
import { SIGNATURE_NAME } from "../release/registry_file.ts";
import {
  checkSignature,
  NO_SIGNATURES,
  type SignatureCheck,
  type SignaturePolicy,
  storedClaim,
} from "./check_signature.ts";
import { MIRROR_SCRATCH_NAME } from "../store/mirror_scratch.ts";
import { problemOfFolder } from "../store/consumer_view.ts";
import { readPointer } from "../store/pointers.ts";
import { type CheckDepth, checkFiles, type FileProblem, findExtraFiles } from "../store/release_files.ts";
import { findRelease, releaseDir } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import { consumerFolder } from "./release_damage.ts";
import { signOfTraining } from "../store/training_signs.ts";
import { join } from "node:path";
import { type FileSystem, findEntry } from "../core/files.ts";
import { isLocked } from "../core/lock.ts";
import { readIntent } from "../store/intent.ts";

/** What an audit of the active release found. */
export interface AuditReport {
  readonly release: Digest;
  readonly sequence: number;
  readonly files: number;
  /** Missing and changed files. */
  readonly problems: readonly FileProblem[];
  /** Files that the manifest does not name. */
  readonly extra: readonly string[];
  /** What is known of its signature; missing when that is one of the problems. */
  readonly signature?: SignatureCheck["kind"];
}

/**
 * Compares what consumers open with the manifest of the active release, and that with its signature. Reads only, and
 * needs no lock: what another run does meanwhile is told apart from damage.
 *
 * @param policy whose signatures are trusted
 * @throws {UsageError} code `NOTHING_ACTIVE`; {@link RefusedError} code `RELEASE_DAMAGED` when there is no manifest;
 * {@link LockedError} code `CHANGED_MEANWHILE`
 */
export async function auditActive(
  context: Context,
  store: Store,
  depth: CheckDepth,
  policy: SignaturePolicy = NO_SIGNATURES,
): Promise<AuditReport> {
  const digest = readPointer(store, "current");
  if (digest === undefined) {
    throw new UsageError(`Cannot verify ${store.modelsDir}: no release is active`, {
      code: "NOTHING_ACTIVE",
      hint: signOfTraining(store) === undefined
        ? "run model-sync pull first"
        : "this machine trains into that folder; name the one that it pulls into with --models-dir",
    });
  }
  const before = momentOf(store, digest);
  try {
    const report = await compare(context, store, digest, depth, policy);
    const isIntact = report.problems.length + report.extra.length === 0;
    if (isIntact || !await isChanging(context, store, digest, before)) return report;
  } catch (error) {
    if (context.signal.aborted || !await isChanging(context, store, digest, before)) throw error;
  }
  throw new LockedError(`Cannot verify release ${shortDigest(digest)}: another run changed it meanwhile`, {
    code: "CHANGED_MEANWHILE",
    hint: "run model-sync verify again",
  });
}

async function compare(
  context: Context,
  store: Store,
  digest: Digest,
  depth: CheckDepth,
  policy: SignaturePolicy,
): Promise<AuditReport> {
  const manifest = await findSoundManifest(store, digest);
  if (manifest === undefined) {
    throw new RefusedError(
      `Cannot verify release ${shortDigest(digest)}: its manifest is missing or damaged`,
      {
        code: "RELEASE_DAMAGED",
        hint: "bring it again: model-sync pull --force, or the command of the carrier that it came by",
      },
    );
  }
  const problems = await checkFiles(context, consumerFolder(store, manifest), manifest, depth);
  // Files that are sound in the store are nothing to consumers who cannot get at them.
  const folder = problemOfFolder(store, digest);
  const signature = await auditSignature(context, store, digest, policy);
  const found = [
    ...folder === undefined ? [] : [{ path: store.modelsDir, problem: folder }],
    ...signature.problems,
    ...problems,
  ];
  return {
    release: digest,
    sequence: manifest.sequence,
    files: manifest.files.length,
    problems: found,
    extra: folder === undefined ? findExtra(context, store, manifest) : [],
    ...(signature.kind === undefined ? {} : { signature: signature.kind }),
  };
}

/** Its expiry, too: where nothing newer comes, nobody else would tell. */
async function auditSignature(
  context: Context,
  store: Store,
  digest: Digest,
  policy: SignaturePolicy,
): Promise<{ readonly kind?: SignatureCheck["kind"]; readonly problems: readonly FileProblem[] }> {
  if (policy.keys.length === 0) return { kind: "unchecked", problems: [] };
  try {
    const { kind } = await checkSignature(context, storedClaim(store, digest), policy, context.clock.now());
    return { kind, problems: [] };
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return { problems: [{ path: SIGNATURE_NAME, problem: `is not good: ${error.message}` }] };
  }
}

/** The manifest, if its file list still gives the digest that is the release's name. */
async function findSoundManifest(store: Store, digest: Digest): Promise<Manifest | undefined> {
  const release = findRelease(store, digest);
  if (release === undefined) return undefined;
  return await releaseDigest(release.manifest.files) === digest ? release.manifest : undefined;
}

function findExtra(context: Context, store: Store, manifest: Manifest): string[] {
  return findExtraFiles(context, store.modelsDir, manifest)
    .filter((path) => !path.startsWith(`${MIRROR_SCRATCH_NAME}/`));
}

/** What identifies the active release on the disk; differs between two moments if another run replaced it. */
export type StoreMoment = string;

/** Returns the present moment of a release that a reader without the lock works on. */
export function momentOf(store: Store, digest: Digest): StoreMoment {
  const { fs, root, modelsDir } = store;
  const release = releaseDir(store, digest);
  return [join(root, "current"), modelsDir, release, `${release}.json`, `${release}.sig`]
    .map((path) => identityOf(fs, path)).join("\n");
}

/** Changes with every rename over a path; a folder's time also changes when an entry of it is added, which is none. */
function identityOf(fs: FileSystem, path: string): string {
  const info = findEntry(fs, path);
  if (info === undefined) return "none";
  return [info.dev, info.ino, info.isDirectory ? "" : info.mtime?.getTime()].join(" ");
}

/**
 * Returns whether what a reader found may be another run's doing: the release is not what it was at `before`, or a run
 * is moving pointers and files right now. What a killed run left is not: its lock is free.
 */
export async function isChanging(
  context: Context,
  store: Store,
  digest: Digest,
  before: StoreMoment,
): Promise<boolean> {
  if (momentOf(store, digest) !== before) return true;
  const intent = readIntent(store);
  return intent !== undefined && intent.phase !== "preparing" &&
    await isLocked(context.fs, store.lock);
}
