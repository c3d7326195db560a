import { posix } from "node:path";
import type { Context } from "../core/context.ts";
import { removeTree } from "../core/files.ts";
import { sha256Hex } from "../core/hash.ts";
import { Working } from "../core/working.ts";
import {
  createManifest,
  type Digest,
  formatManifest,
  type Manifest,
  type ManifestDetails,
} from "../release/manifest.ts";
import type { ModelSet } from "../release/model_set.ts";
import { askCommitHooks } from "./ask_hooks.ts";
import { ATTRIBUTES, forbidConversions, lfsPathTest, withLfsPaths } from "./attributes.ts";
import { RELEASE_TRAILER, SEQUENCE_TRAILER } from "./branch.ts";
import {
  checkTree,
  CommitIndex,
  commitTree,
  type ExpectedFile,
  formatOf,
  removalOf,
  removed,
  scratchIndex,
  writeBlob,
} from "./commit_tree.ts";
import { closeJournal, openJournal, scratchOf, takeBack } from "./journal.ts";
import { findLfsFolder, syncLfsObjects } from "./lfs.ts";
import type { ObjectId } from "./object_id.ts";
import { findChanges } from "./model_changes.ts";
import { packModels } from "./pack_models.ts";
import { readAttributes } from "./read_attributes.ts";
import { changing, type CommittedFile } from "./read_again.ts";
import type { Registry } from "./registry.ts";
import type { StagedEntry } from "./stage_models.ts";
import { listTree, manifestPathOf, signaturePathOf, type TreeEntry } from "./tree.ts";
import { deleteGivenUpPacks, placePack } from "./unpushed_packs.ts";
import { showTree, WHOLE_WORKTREE } from "./worktree.ts";

/** Returns the text of the signature of a release: of its files in `folder`, and of its manifest's text. */
export interface CommitSigner {
  sign(manifest: Manifest, text: string, folder: string): Promise<string>;
}

/** The content of a publish commit. */
export interface ModelCommit {
  readonly subdir: string;
  readonly set: ModelSet;
  /** Paths within the set to keep in Git LFS. */
  readonly lfsPaths: readonly string[];
  /** The parent commit. */
  readonly head: ObjectId | undefined;
  /** The manifest of `head`, if this machine knows that it matches the files. */
  readonly base: Manifest | undefined;
  /** The manifest of `head` is damaged or of other models: it is replaced even if no model changed. */
  readonly isManifestStale: boolean;
  readonly details: ManifestDetails;
  /** Signs the release. Without a signer, an existing signature is removed: it would belong to another release. */
  readonly signer: CommitSigner | undefined;
  readonly message: string;
  /** The worktree or the index may contain changes of people, which stay out of the commit. */
  readonly allowDirtyWorktree: boolean;
}

/** Returns the paths of the repository that a publish writes: the model set, and the files that accompany it. */
export function writtenPaths(subdir: string): string[] {
  return [subdir, manifestPathOf(subdir), signaturePathOf(subdir), ATTRIBUTES];
}

/**
 * Returns the paths of the worktree that a publish may restore: what it writes. In a clone of our own that was clean
 * before, these are all paths: no person works there, and files that a hook leaves would block the next publish.
 */
export function restoredPaths(
  registry: Registry,
  { subdir, allowDirtyWorktree }: { readonly subdir: string; readonly allowDirtyWorktree: boolean },
): readonly string[] {
  return registry.isOwn && !allowDirtyWorktree ? WHOLE_WORKTREE : writtenPaths(subdir);
}

/**
 * Commits a model set to the clone: writes the changed files into one pack, builds a tree in a separate index, compares
 * the objects in it with the bytes that were read, and commits it. Hooks may refuse the commit, but not change it. If
 * the run is killed, the next publish undoes its changes.
 *
 * @returns the new commit; `undefined` if nothing changed
 */
export async function commitModels(
  context: Context,
  registry: Registry,
  change: ModelCommit,
): Promise<ObjectId | undefined> {
  const { head } = change;
  registry.sweep();
  openJournal(context, registry, {
    phase: "writing",
    head: head ?? null,
    paths: [...restoredPaths(registry, change)],
  });
  try {
    const { fs } = context;
    await removeTree(fs, scratchOf(registry));
    fs.mkdirSync(scratchOf(registry));
    const commit = await writeCommit(context, registry, change);
    await removeTree(fs, scratchOf(registry));
    closeJournal(context, registry);
    return commit;
  } catch (error) {
    await takeBack(context, registry);
    await deleteGivenUpPacks(context, registry);
    throw error;
  }
}

async function writeCommit(
  context: Context,
  registry: Registry,
  change: ModelCommit,
): Promise<ObjectId | undefined> {
  const { subdir, set, head } = change;
  const beside = [manifestPathOf(subdir), signaturePathOf(subdir)];
  forbidConversions(context, registry.objectsDir, subdir, beside);
  const attributes = await changeAttributes(registry, change);
  const index = await CommitIndex.create(context, registry, head);
  await index.replace(attributes.entries);
  const stored = await storeModels(context, registry, change, index, attributes.wasInLfs);
  const expected = new Map<string, ExpectedFile>(
    stored.files.map((file) => [`${subdir}/${file.path}`, file]),
  );
  const models = [
    ...stored.gone.map(removed),
    ...stored.written.map(({ path, blob }) => ({ path: `${subdir}/${path}`, mode: "100644", blob })),
  ];
  if (models.length === 0 && !change.isManifestStale) {
    if (head !== undefined) await checkTree(registry, head, [`${subdir}/`], expected);
    return undefined;
  }
  const manifest = await createManifest(
    stored.files.map(({ blob: _, ...file }) => file),
    change.details,
  );
  if (manifest.digest !== set.digest) throw changing(set.dir);
  const texts = await writeTexts(context, registry, change, manifest);
  for (const [path, text] of texts.expected) expected.set(path, text);
  await index.replace([...models, ...texts.entries]);
  const tree = await index.writeTree();
  await checkTree(registry, tree, [`${subdir}/`, ...beside], expected);
  if (stored.pack !== undefined) {
    await placePack(context, registry, scratchOf(registry), stored.pack);
  }
  const paths = restoredPaths(registry, change);
  const written = [...stored.written.map(({ path }) => `${subdir}/${path}`), ...texts.expected.keys()];
  await showTree(context, registry, {
    head,
    tree,
    paths: writtenPaths(subdir),
    written,
    removed: [...stored.gone.map(({ path }) => path), ...texts.removed],
  });
  const message = messageOf(change, manifest.digest);
  await askCommitHooks(context, registry, {
    tree,
    parent: head,
    index: scratchIndex(registry),
    message,
    paths,
  });
  return await commitTree(registry, {
    tree,
    parent: head,
    message,
    host: change.details.origin.host ?? "localhost",
  });
}

/** The models of a commit. What the parent commit lacks is in the pack, or in git-lfs's folder. */
interface StoredModels {
  readonly files: readonly CommittedFile[];
  /** Those of {@link files} that the parent commit lacks. */
  readonly written: readonly CommittedFile[];
  /** The entries of the parent commit that the set does not have. */
  readonly gone: readonly TreeEntry[];
  /** The pack's name without extension, in the scratch folder. */
  readonly pack: string | undefined;
}

async function storeModels(
  context: Context,
  registry: Registry,
  change: ModelCommit,
  index: CommitIndex,
  wasInLfs: (path: string) => boolean,
): Promise<StoredModels> {
  const { subdir, head } = change;
  const format = await formatOf(registry, head);
  const entries = head === undefined ? [] : await listTree(registry.git, head, [`${subdir}/`]);
  const held = { entries, format, wasInLfs };
  const { unchanged, write, inLfs, gone } = await findChanges(context, index.git, change, held);
  const lfsFolder = write.some(({ path }) => inLfs.has(path)) ? await findLfsFolder(registry) : undefined;
  const scratch = scratchOf(registry);
  const packed = await packModels(context, { scratch, format, files: write, inLfs, lfsFolder });
  if (lfsFolder !== undefined) await syncLfs(context, lfsFolder, packed.files, inLfs);
  return { files: [...unchanged, ...packed.files], written: packed.files, gone, pack: packed.pack };
}

/** Other files are synced after the push: until then, the next publish can recreate the commit. */
async function syncLfs(
  context: Context,
  folder: string,
  files: readonly CommittedFile[],
  inLfs: ReadonlySet<string>,
): Promise<void> {
  using _working = new Working(context, "writing the commit to the disk");
  await syncLfsObjects(
    context,
    folder,
    files.filter(({ path }) => inLfs.has(path)).map(({ sha256 }) => sha256),
  );
}

/** Returns the change of the `.gitattributes` that puts the files into Git LFS, and which were in it before. */
async function changeAttributes(
  registry: Registry,
  { head, lfsPaths, subdir }: ModelCommit,
): Promise<{ readonly entries: StagedEntry[]; readonly wasInLfs: (path: string) => boolean }> {
  const before = head === undefined ? "" : await readAttributes(registry, registry.git, head);
  const after = withLfsPaths(before, lfsPaths.map((file) => `${subdir}/${file}`));
  const wasInLfs = lfsPathTest(before);
  if (after === before) return { entries: [], wasInLfs };
  return {
    entries: [{ path: ATTRIBUTES, mode: "100644", blob: await writeBlob(registry, after) }],
    wasInLfs,
  };
}

/** The files beside the model folder. */
interface ReleaseTexts {
  readonly entries: readonly StagedEntry[];
  /** The written ones by path. */
  readonly expected: ReadonlyMap<string, ExpectedFile>;
  /** The paths of removed files. */
  readonly removed: readonly string[];
}

/** Writes the manifest and its signature as objects. Removes an existing signature that belongs to another release. */
async function writeTexts(
  context: Context,
  registry: Registry,
  { subdir, head, signer }: ModelCommit,
  manifest: Manifest,
): Promise<ReleaseTexts> {
  const text = formatManifest(manifest);
  const texts = new Map([[manifestPathOf(subdir), text]]);
  const signaturePath = signaturePathOf(subdir);
  const signature = await signer?.sign(manifest, text, posix.basename(subdir));
  if (signature !== undefined) texts.set(signaturePath, signature);
  const entries: StagedEntry[] = [];
  const expected = new Map<string, ExpectedFile>();
  for (const [path, content] of texts) {
    const blob = await writeBlob(registry, content);
    entries.push({ path, mode: "100644", blob });
    const size = new TextEncoder().encode(content).length;
    expected.set(path, { size, sha256: await sha256Hex(content), blob });
  }
  const old = signature === undefined && head !== undefined
    ? await removalOf(registry, head, signaturePath)
    : [];
  if (old.length > 0) {
    context.log.warn(
      `removing ${signaturePath}: it belongs to an earlier release, and no signing key is configured here`,
    );
  }
  return { entries: [...old, ...entries], expected, removed: old.map(({ path }) => path) };
}

function messageOf(change: ModelCommit, digest: Digest): string {
  const trailers = [`${RELEASE_TRAILER}: ${digest}`, `${SEQUENCE_TRAILER}: ${change.details.sequence}`];
  return `${change.message.trimEnd()}\n\n${trailers.join("\n")}\n`;
}
