import { posix } from "node:path";
import { changedFile } from "../core/changed_file.ts";
import type { Context } from "../core/context.ts";
import { settleAll } from "../core/concurrency.ts";
import { removeTree } from "../core/files.ts";
import { formatManifest, formatPieces } from "../release/format_manifest.ts";
import {
  createManifest,
  type Manifest,
  type ManifestDetails,
  type ReleaseFile,
} from "../release/manifest.ts";
import type { ModelSet } from "../release/model_set.ts";
import { askCommitHooks } from "./ask_hooks.ts";
import { ATTRIBUTES, forbidConversions, lfsPathTest, withLfsPaths } from "./attributes.ts";
import { publishMessage } from "./branch.ts";
import {
  checkTree,
  createCommit,
  type ExpectedFile,
  formatOf,
  moveToCommit,
  writeBlob,
} from "./commit_tree.ts";
import { type DraftTree, draftTree } from "./draft_tree.ts";
import { closeJournal, openJournal, scratchOf, takeBack } from "./journal.ts";
import { findLfsFolder } from "./lfs.ts";
import { divideModels, findChanges, type ModelChanges, type ModelDelta } from "./model_changes.ts";
import type { ObjectFormat, ObjectId } from "./object_id.ts";
import { type PackedModels, packModels, type TextPieces } from "./pack_models.ts";
import type { CommittedFile } from "./read_again.ts";
import type { Registry } from "./registry.ts";
import type { StagedEntry } from "./stage_models.ts";
import { manifestPathOf, signaturePathOf } from "./tree.ts";
import { deleteGivenUpPacks, placePack } from "./unpushed_packs.ts";
import { showTree, stageChanges, WHOLE_WORKTREE } from "./worktree.ts";

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
  /** The text of the `.gitattributes` of `head`; empty if it has none. */
  readonly attributes: string;
  /** The manifest of `head`, if this machine knows that it matches the files. */
  readonly base: Manifest | undefined;
  /** How the set differs from {@link base}, if that is known without a comparison and no file is in Git LFS. */
  readonly delta: ModelDelta | undefined;
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

/** A commit that was made. */
export interface CommittedModels {
  readonly commit: ObjectId;
  /** Whether its changes name content in Git LFS. */
  readonly hasNewLfs: boolean;
  /** Git's name for the model folder in it, if it is known. */
  readonly models: ObjectId | undefined;
  readonly manifest: PackedManifest | undefined;
}

/** The manifest of a commit: git's name for it, and where it is in the pack of the commit. */
export interface PackedManifest {
  readonly blob: ObjectId;
  /** The pack's name without extension. */
  readonly pack: string;
  readonly offset: number;
}

/**
 * Commits a model set to the clone: writes the changed files into one pack, builds a tree, compares the objects in it with
 * the bytes that were read, and commits it. Hooks may refuse the commit, but not change it. If the run is killed, the
 * next publish undoes its changes.
 *
 * @returns `undefined` if nothing changed
 */
export async function commitModels(
  context: Context,
  registry: Registry,
  change: ModelCommit,
): Promise<CommittedModels | undefined> {
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
): Promise<CommittedModels | undefined> {
  const { subdir, set, head, base } = change;
  const beside = [manifestPathOf(subdir), signaturePathOf(subdir)];
  forbidConversions(context, registry.objectsDir, subdir, beside);
  const attributes = await changeAttributes(registry, change);
  const { unchanged, compare, gone } = divideModels(change, attributes.wasInLfs);
  const draft = await draftTree(context, registry, {
    subdir,
    head,
    files: () => set.files,
    compared: compare,
    gone: base === undefined ? undefined : gone,
    beside,
    attributes: attributes.entries,
  });
  const format = await formatOf(registry, head);
  const changes = await findChanges(context, draft, change, compare, format);
  const kept = () => [...unchanged(), ...changes.same];
  const expected = (written: readonly WrittenFile[]) => expectedFiles(draft, subdir, kept(), written);
  if (changes.write.length === 0 && draft.gone.length === 0 && !change.isManifestStale) {
    if (head !== undefined && base === undefined) {
      await checkTree(registry, head, [`${subdir}/`], expected([]));
    }
    return undefined;
  }
  await using packed = await packChanges(context, registry, change, changes, { kept, format });
  const written = writtenFiles(subdir, packed);
  const oldSignature = await removeOldSignature(context, draft, change);
  await draft.replace([...draft.gone, ...oldSignature, ...written]);
  const message = publishMessage(change.message, set.digest, change.details.sequence);
  const host = change.details.origin.host ?? "localhost";
  const writing = draft.write([`${subdir}/`, ...beside], () => expected(written));
  const [tree, commit, isStaged, pack] = await settleAll([
    writing,
    writing.then((tree) => createCommit(registry, { tree, parent: head, message, host })),
    draft.changes !== undefined && stageChanges(context, registry, draft.changes),
    placeCommit(context, registry, packed),
  ]);
  if (!isStaged) {
    await showTree(context, registry, {
      head,
      tree,
      paths: writtenPaths(subdir),
      written: written.map(({ path }) => path),
      removed: [...draft.gone, ...oldSignature].map(({ path }) => path),
    });
  }
  await askCommitHooks(context, registry, {
    tree,
    parent: head,
    index: () => draft.indexOf(tree),
    message,
    paths: restoredPaths(registry, change),
  });
  // Until here, nothing names the commit.
  await moveToCommit(registry, { commit, parent: head, message });
  return {
    commit,
    hasNewLfs: changes.inLfs.size > 0,
    models: draft.folderOf(subdir),
    manifest: placeOfManifest(subdir, packed, pack),
  };
}

function placeOfManifest(
  subdir: string,
  { texts }: PackedModels,
  pack: string,
): PackedManifest | undefined {
  const text = texts.find(({ path }) => path === manifestPathOf(subdir));
  return text && { blob: text.blob, pack, offset: text.offset };
}

/** Completes the pack of a commit, moves it into the clone, and returns its name without extension. */
async function placeCommit(context: Context, registry: Registry, packed: PackedModels): Promise<string> {
  const name = await packed.finish();
  await placePack(context, registry, scratchOf(registry), name);
  return name;
}

/** Returns the removal of the parent commit's signature if this one has none: it would belong to another release. */
async function removeOldSignature(
  context: Context,
  draft: DraftTree,
  { signer, subdir }: ModelCommit,
): Promise<readonly StagedEntry[]> {
  const path = signaturePathOf(subdir);
  const removal = signer === undefined ? await draft.removalOf(path) : [];
  if (removal.length > 0) {
    context.log.warn(
      `removing ${path}: it belongs to an earlier release, and no signing key is configured here`,
    );
  }
  return removal;
}

/** Returns the files of a new commit by their paths in the repository. */
function expectedFiles(
  draft: DraftTree,
  subdir: string,
  kept: readonly ReleaseFile[],
  written: readonly WrittenFile[],
): ReadonlyMap<string, ExpectedFile> {
  const files = new Map<string, ExpectedFile>();
  for (const { path, size, sha256 } of kept) {
    const inRepository = `${subdir}/${path}`;
    files.set(inRepository, { size, sha256, blob: draft.blobOf(inRepository) ?? "" });
  }
  for (const file of written) files.set(file.path, file);
  return files;
}

/** A file of the commit that its parent does not have, by its path in the repository. */
interface WrittenFile extends StagedEntry, ExpectedFile {
  readonly blob: ObjectId;
}

/** Writes the changed models and the texts beside the model folder into a pack, and files in Git LFS into its folder. */
async function packChanges(
  context: Context,
  registry: Registry,
  change: ModelCommit,
  { write, inLfs }: ModelChanges,
  { kept, format }: { readonly kept: () => readonly ReleaseFile[]; readonly format: ObjectFormat },
): Promise<PackedModels> {
  return await packModels(context, {
    scratch: scratchOf(registry),
    format,
    files: write,
    inLfs,
    lfsFolder: write.some(({ path }) => inLfs.has(path)) ? await findLfsFolder(registry) : undefined,
    textCount: change.signer === undefined ? 1 : 2,
    describe: (files) => describeRelease(change, kept, files),
  });
}

function writtenFiles(subdir: string, { files, texts }: PackedModels): WrittenFile[] {
  const mode = "100644";
  const written: WrittenFile[] = files.map(({ path, size, sha256, blob }) => ({
    path: `${subdir}/${path}`,
    mode,
    size,
    sha256,
    blob,
  }));
  for (const { path, size, blob } of texts) written.push({ path, mode, size, blob });
  return written;
}

/** Returns the change of the `.gitattributes` that puts the files into Git LFS, and which were in it before. */
async function changeAttributes(
  registry: Registry,
  { attributes: before, lfsPaths, subdir }: ModelCommit,
): Promise<{ readonly entries: StagedEntry[]; readonly wasInLfs: (path: string) => boolean }> {
  const after = withLfsPaths(before, lfsPaths.map((file) => `${subdir}/${file}`));
  const wasInLfs = lfsPathTest(before);
  if (after === before) return { entries: [], wasInLfs };
  return {
    entries: [{ path: ATTRIBUTES, mode: "100644", blob: await writeBlob(registry, after) }],
    wasInLfs,
  };
}

/** Returns the texts beside the model folder by path: the manifest, and its signature if there is a signer. */
async function describeRelease(
  { subdir, set, signer, details, delta }: ModelCommit,
  kept: () => readonly ReleaseFile[],
  written: readonly CommittedFile[],
): Promise<ReadonlyMap<string, TextPieces>> {
  const text = signer === undefined
    ? delta?.text.change(set.digest, details, written, delta.removed)
    : undefined;
  if (text !== undefined) return new Map([[manifestPathOf(subdir), text]]);
  const manifest = await createManifest([...kept(), ...written], details, set);
  if (manifest.digest !== set.digest) throw changedFile(set.dir);
  const encoder = new TextEncoder();
  const pieces = Array.from(formatPieces(manifest), (piece) => encoder.encode(piece));
  const texts = new Map([[manifestPathOf(subdir), pieces]]);
  if (signer === undefined) return texts;
  const signature = await signer.sign(manifest, formatManifest(manifest), posix.basename(subdir));
  return texts.set(signaturePathOf(subdir), [encoder.encode(signature)]);
}
