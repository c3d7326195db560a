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
import { damagedRelease, readPointer } from "../store/pointers.ts";
import { type CheckDepth, checkFiles, type FileProblem, findExtraFiles } from "../store/release_files.ts";
import { findRelease, releaseDir } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import { consumerFolder } from "./release_damage.ts";
import { signOfTraining } from "../store/training_signs.ts";
import { join } from "node:path";
import { type FileSystem, findEntry } from "../core/files.ts";
import { isLocked } from "../core/lock.ts";
import { readIntent } from "../store/intent.ts";

/** The result of a verification of the active release. */
export interface VerifyReport {
  readonly release: Digest;
  readonly sequence: number;
  readonly files: number;
  /** Missing and changed files. */
  readonly problems: readonly FileProblem[];
  /** Files that the manifest does not name. */
  readonly extra: readonly string[];
  /** The state of its signature; missing if the signature is one of the problems. */
  readonly signature?: SignatureCheck["kind"];
}

/**
 * Compares the files that consumers open with the manifest of the active release, and the manifest with its signature.
 * Writes nothing and needs no lock: a change by another run is not reported as damage.
 *
 * @param policy the trusted signatures
 * @throws {UsageError} code `NOTHING_ACTIVE`; {@link RefusedError} code `RELEASE_DAMAGED` without a manifest;
 * {@link LockedError} code `CHANGED_MEANWHILE`
 */
export async function verifyActive(
  context: Context,
  store: Store,
  depth: CheckDepth,
  policy: SignaturePolicy = NO_SIGNATURES,
): Promise<VerifyReport> {
  const digest = readPointer(store, "current");
  if (digest === undefined) {
    throw new UsageError(`Cannot verify ${store.modelsDir}: no release is active`, {
      code: "NOTHING_ACTIVE",
      hint: signOfTraining(store) === undefined
        ? "pull a release first; model-sync status names the command"
        : "this machine trains into that folder; name the one that it pulls into with --models-dir",
    });
  }
  const before = diskStateOf(store, digest);
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
): Promise<VerifyReport> {
  const manifest = await findSoundManifest(store, digest);
  if (manifest === undefined) {
    throw damagedRelease("verify", digest);
  }
  const problems = await checkFiles(context, consumerFolder(store, manifest), manifest, depth);
  // Files that are good in the store do not help consumers that cannot open the folder.
  const folder = problemOfFolder(store, digest);
  const signature = await verifySignature(context, store, digest, policy);
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

/** Checks the signature and the expiry: if no newer release comes, no pull reports the expiry. */
async function verifySignature(
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
    return { problems: [{ path: SIGNATURE_NAME, problem: `is not valid: ${error.message}` }] };
  }
}

/** Returns the manifest, if the digest of its file list is the name of the release. */
async function findSoundManifest(store: Store, digest: Digest): Promise<Manifest | undefined> {
  const release = findRelease(store, digest);
  if (release === undefined) return undefined;
  return await releaseDigest(release.manifest.files) === digest ? release.manifest : undefined;
}

function findExtra(context: Context, store: Store, manifest: Manifest): string[] {
  return findExtraFiles(context, store.modelsDir, manifest)
    .filter((path) => !path.startsWith(`${MIRROR_SCRATCH_NAME}/`));
}

/** Identifies the state of a release on the disk. It differs after another run has changed it. */
type DiskState = string;

/** Returns the present state of a release, for a reader without the lock. */
function diskStateOf(store: Store, digest: Digest): DiskState {
  const { fs, root, modelsDir } = store;
  const release = releaseDir(store, digest);
  return [join(root, "current"), modelsDir, release, `${release}.json`, `${release}.sig`]
    .map((path) => identityOf(fs, path)).join("\n");
}

/** Changes with every rename over the path. Ignores the time of a folder, which every new entry in it changes. */
function identityOf(fs: FileSystem, path: string): string {
  const info = findEntry(fs, path);
  if (info === undefined) return "none";
  return [info.dev, info.ino, info.isDirectory ? "" : info.mtime?.getTime()].join(" ");
}

/**
 * Returns whether a problem may be the work of another run: the release has changed since `before`, or a run is moving
 * pointers and files now. The remains of a killed run do not count: its lock is free.
 */
async function isChanging(
  context: Context,
  store: Store,
  digest: Digest,
  before: DiskState,
): Promise<boolean> {
  if (diskStateOf(store, digest) !== before) return true;
  const intent = readIntent(store);
  return intent !== undefined && intent.phase !== "preparing" &&
    await isLocked(context.fs, store.lock);
}
