import { posix } from "node:path";
import { readListed } from "../core/changed_file.ts";
import type { Context } from "../core/context.ts";
import { ATTRIBUTES, ATTRIBUTES_BYTES_MAX, withLfsPaths } from "../git/attributes.ts";
import { refuseDirty } from "../git/branch.ts";
import { readSmallBlob, withScratchObjects } from "../git/blobs.ts";
import { findMissing } from "../git/find_missing.ts";
import type { Git } from "../git/git.ts";
import { Registry } from "../git/registry.ts";
import { BlobHasher, blobIdOf, objectFormatOf, type ObjectId } from "../git/object_id.ts";
import { manifestPathOf, readModelTree, releaseFilesOf, type TreeFile } from "../git/tree.ts";
import { hashFile } from "../core/hash.ts";
import { formatPointer } from "../release/lfs_pointer.ts";
import { findPublished } from "../store/published.ts";
import type { Store } from "../store/store.ts";
import { nextWithdrawals } from "../store/withdrawals.ts";
import { findObject, publishTarget } from "./git_publish_base.ts";
import { type ChangeList, compareFiles, countChanges, refuseShrink } from "../release/changes.ts";
import { type Digest, type Manifest, type Withdrawal } from "../release/manifest.ts";
import type { ModelSet, SetFile } from "../release/model_set.ts";
import type { RegistryFile } from "../release/registry_file.ts";
import { isSameList, refuseWithdrawnModels } from "../release/withdrawals.ts";
import { isSealDue, ownWithdrawals, readSeal } from "../signing/seal.ts";
import { nextSequence, readManifestToReplace, readSignatureToReplace } from "./git_manifest.ts";
import { chooseLfsPaths, refuseForeignManifest } from "./git_publish_guards.ts";
import type { GitPublisherOptions } from "./git_publisher.ts";

/** The changes that a publish would make. */
export interface PublishPlan {
  readonly outcome: "published" | "unchanged";
  readonly release: Digest;
  readonly sequence: number;
  readonly changes: ChangeList;
  /** Files that would be kept in Git LFS. */
  readonly lfs: readonly string[];
  readonly branch: string;
  readonly remote: string;
}

/**
 * Returns what a publish of a model set would change, and throws what it would refuse. Changes nothing in the clone.
 *
 * @param scratch an existing folder for temporary objects
 * @param store with the record of earlier publishes, which saves comparing every file
 */
export async function planGitPublish(
  context: Context,
  options: Omit<GitPublisherOptions, "owner">,
  set: ModelSet,
  scratch: string,
  store: Store | undefined,
): Promise<PublishPlan> {
  const use = { owner: "unlocked", clone: "blobless", scratch, isPublish: true } as const;
  const place = { set, scratch, store };
  using registry = await Registry.open(context, options.registry, use);
  try {
    return await planOn(context, registry, options, place);
  } catch (error) {
    using replaced = await registry.replaceAfter(error);
    return await planOn(context, replaced, options, place);
  }
}

/** The model set of a plan, and where it reads and writes. */
interface PlanPlace {
  readonly set: ModelSet;
  readonly scratch: string;
  readonly store: Store | undefined;
}

async function planOn(
  context: Context,
  registry: Registry,
  options: Omit<GitPublisherOptions, "owner">,
  place: PlanPlace,
): Promise<PublishPlan> {
  const { registry: settings, subdir } = options;
  const { set } = place;
  if (registry.hasWorktree && !options.allowDirtyWorktree) {
    refuseDirty(registry, (await registry.status()).dirty);
  }
  const base = await readBase(context, registry, options, place);
  refuseForeignManifest(subdir, base.manifest);
  if (!options.allowShrink) refuseShrink(set, base.files.map((file) => file.path), "publish");
  const listed = base.manifest?.withdrawals ?? [];
  const withdrawals = nextWithdrawals(place.store, base.withdrawals);
  refuseWithdrawnModels(withdrawals, set.digest, set.dir);
  const changes = compareFiles(base.files, set.files);
  const lfs = await chooseLfsPaths(context, registry, set, options.lfs);
  const { manifest, attributes } = base;
  const unchanged = countChanges(changes) === 0 && !base.isSealDue &&
    isSameList(withdrawals, listed) &&
    attributes === withLfsPaths(attributes, lfs.map((path) => posix.join(subdir, path)));
  return {
    outcome: unchanged ? "unchanged" : "published",
    release: set.digest,
    sequence: unchanged ? manifest?.sequence ?? 0 : nextSequence(manifest, 0, registry.remoteBranch),
    changes,
    lfs,
    branch: settings.branch,
    remote: settings.remote,
  };
}

interface Published {
  /** The `.gitattributes` of the commit, which name the files in Git LFS. */
  readonly attributes: string;
  readonly manifest: Manifest | undefined;
  readonly files: readonly { readonly path: string; readonly sha256: string | undefined }[];
  /** Those of the manifest that the next one may carry. */
  readonly withdrawals: readonly Withdrawal[];
  /** Whether it is published again without changed models, to be signed or to get a new expiry. */
  readonly isSealDue: boolean;
}

/** Reads the commit that a publish would build on: the clone's own if it is ahead of the remote, else the remote's. */
async function readBase(
  context: Context,
  registry: Registry,
  options: Omit<GitPublisherOptions, "owner">,
  { set, scratch, store }: PlanPlace,
): Promise<Published> {
  const ours = await registry.findCommit(`refs/heads/${options.registry.branch}`);
  const tip = await registry.remoteTip();
  const git = withScratchObjects(registry, context.fs, scratch);
  if (tip !== undefined) await registry.peekCommit(git, tip);
  const isAhead = ours !== undefined &&
    (tip === undefined || await registry.relation(git, ours, tip) === "ahead");
  const commit: ObjectId | undefined = isAhead ? ours : tip;
  if (commit === undefined) {
    return { attributes: "", manifest: undefined, files: [], withdrawals: [], isSealDue: false };
  }
  const listing = await git.text(["ls-tree", "--full-tree", "--name-only", commit, "--", options.subdir], {
    action: `look for ${options.subdir}`,
  });
  const tree = listing === "" ? undefined : await readModelTree(git, commit, options.subdir);
  const attributesBlob = await findAttributes(git, commit);
  const wanted = [attributesBlob, tree?.manifestBlob, tree?.signatureBlob].filter((blob) =>
    blob !== undefined
  );
  const missing = await findMissing(git, commit, wanted);
  if (missing.length > 0) await registry.fetchObjects(git, missing);
  const attributes = attributesBlob === undefined ? "" : new TextDecoder().decode(
    await readSmallBlob(git, attributesBlob, {
      name: `${ATTRIBUTES} of commit ${commit.slice(0, 12)}`,
      bytesMax: ATTRIBUTES_BYTES_MAX,
      code: "REGISTRY_UNFIT",
    }),
  );
  const unclaimed = tree?.files.map(({ path }) => ({ path, sha256: undefined })) ?? [];
  const { seal } = options;
  const now = context.clock.now();
  const where = `${manifestPathOf(options.subdir)} of commit ${commit.slice(0, 12)}`;
  const claim = tree?.manifestBlob === undefined
    ? undefined
    : await readManifestToReplace(context, textReader(git, tree.manifestBlob), where);
  if (claim === undefined) {
    const isDue = isSealDue(seal, {}, now);
    return { attributes, manifest: undefined, files: unclaimed, withdrawals: [], isSealDue: isDue };
  }
  const { manifest, text } = claim;
  const signature = tree?.signatureBlob === undefined
    ? undefined
    : await readSignatureToReplace(textReader(git, tree.signatureBlob));
  const held = await readSeal(seal, manifest, text, signature);
  const published = store && findPublished(store, publishTarget(registry, options.subdir));
  const isKnown = published?.checked === true && published.digest === manifest.digest &&
    published.tree === await findObject(git, commit, options.subdir);
  const present = tree === undefined ? [] : releaseFilesOf(tree, manifest);
  const files = isKnown ? manifest.files : await heldFiles(context, present, manifest, set);
  const withdrawals = ownWithdrawals(seal, held, manifest);
  return { attributes, manifest, files, withdrawals, isSealDue: isSealDue(seal, held, now) };
}

function textReader(git: Git, blob: ObjectId): (file: RegistryFile) => Promise<string> {
  return async (file) => new TextDecoder().decode(await readSmallBlob(git, blob, file));
}

/**
 * Returns the files of a commit, with digests for those that match the manifest. Only files that are also in the model
 * set are compared: the others change anyway.
 */
async function heldFiles(
  context: Context,
  present: readonly TreeFile[],
  manifest: Manifest,
  set: ModelSet,
): Promise<Published["files"]> {
  const claimed = new Map(manifest.files.map((file) => [file.path, file.sha256]));
  const local = new Map(set.files.map((file) => [file.path, file]));
  const files: { path: string; sha256: string | undefined }[] = [];
  for (const { path, blob } of present) {
    const file = local.get(path);
    const isHeld = file !== undefined && file.sha256 === claimed.get(path) &&
      await isStoredAs(context, file, blob);
    files.push({ path, sha256: isHeld ? file.sha256 : undefined });
  }
  return files;
}

/** Returns whether a git object is the file, or the Git LFS pointer to it. */
async function isStoredAs(context: Context, file: SetFile, blob: ObjectId): Promise<boolean> {
  const format = objectFormatOf(blob);
  if (blob === await blobIdOf(format, formatPointer({ sha256: file.sha256, bytes: file.size }))) return true;
  const hasher = await BlobHasher.create(format, file.size);
  const options = { signal: context.signal, onBytes: (piece: Uint8Array) => hasher.update(piece) };
  await readListed(context.fs, file, () => hashFile(context.fs, file.location, options));
  return blob === hasher.id();
}

async function findAttributes(git: Git, commit: ObjectId): Promise<ObjectId | undefined> {
  const result = await git.attempt(["rev-parse", "--verify", "--quiet", `${commit}:${ATTRIBUTES}`], {
    action: `look for ${ATTRIBUTES}`,
  });
  return result.code === 0 ? new TextDecoder().decode(result.stdout).trim() : undefined;
}
