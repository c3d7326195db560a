import { join, posix } from "node:path";
import type { Context } from "../core/context.ts";
import { findEntry, findText, removeFile } from "../core/files.ts";
import { sha256Hex } from "../core/hash.ts";
import { Working } from "../core/working.ts";
import {
  createManifest,
  type Digest,
  formatManifest,
  type Manifest,
  type ManifestDetails,
  type ReleaseFile,
} from "../release/manifest.ts";
import type { ModelSet } from "../release/model_set.ts";
import { askCommitHooks } from "./ask_hooks.ts";
import { ATTRIBUTES, forbidConversions, lfsPathTest, withLfsPaths } from "./attributes.ts";
import { blobIdOf, type ObjectFormat, type ObjectId } from "./object_id.ts";
import { RELEASE_TRAILER, SEQUENCE_TRAILER } from "./branch.ts";
import { checkTree, commitTree, type ExpectedFile, formatOf, makeTree, scratchIndex } from "./commit_tree.ts";
import { closeJournal, openJournal, restorePaths, takeBack, WHOLE_WORKTREE } from "./journal.ts";
import type { Registry } from "./registry.ts";
import { findStaged, refuseFilters, removeMarks, type StagedEntry, stagePaths } from "./stage_models.ts";
import { syncLfsObjects } from "./lfs.ts";
import { listTree, manifestPathOf, signaturePathOf, type TreeEntry } from "./tree.ts";
import { changing, placeText, type WorktreePlan, writeWorktree, type WrittenFile } from "./worktree.ts";

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
 * Commits a model set to the clone. Writes the changed files into the worktree, stages exactly these, builds a tree in
 * a separate index, compares each object in it with the hashed bytes, and commits it. Hooks may refuse the commit, but
 * not change it. If the run is killed, the next publish undoes its changes.
 *
 * @returns the new commit; `undefined` if nothing changed
 */
export async function commitModels(
  context: Context,
  registry: Registry,
  change: ModelCommit,
): Promise<ObjectId | undefined> {
  const { head } = change;
  const paths = restoredPaths(registry, change);
  registry.sweep();
  openJournal(context, registry, { phase: "writing", head: head ?? null, paths: [...paths] });
  try {
    const commit = await writeCommit(context, registry, change);
    if (commit === undefined) await restorePaths(registry.git, head, paths);
    else await syncCommit(context, registry, change);
    closeJournal(context, registry);
    return commit;
  } catch (error) {
    await takeBack(context, registry);
    throw error;
  }
}

/** Other files are synced after the push: until then, the next publish can recreate the commit. */
async function syncCommit(context: Context, registry: Registry, change: ModelCommit): Promise<void> {
  using _working = new Working(context, "writing the commit to the disk");
  const inLfs = new Set(change.lfsPaths);
  const digests = change.set.files.filter(({ path }) => inLfs.has(path)).map(({ sha256 }) => sha256);
  await syncLfsObjects(context, registry, digests);
}

async function writeCommit(
  context: Context,
  registry: Registry,
  change: ModelCommit,
): Promise<ObjectId | undefined> {
  const { subdir, set, head } = change;
  const manifestPath = manifestPathOf(subdir);
  const beside = [manifestPath, signaturePathOf(subdir)];
  forbidConversions(context, registry.objectsDir, subdir, beside);
  const before = findText(context.fs, join(registry.git.repoDir, ATTRIBUTES)) ?? "";
  const attributes = writeAttributes(context, registry, change, before) ? [ATTRIBUTES] : [];
  await removeMarks(registry, [`${subdir}/`, ...beside, ...attributes]);
  const held = head === undefined ? [] : await listTree(registry.git, head, [`${subdir}/`]);
  const unchanged = unchangedFiles(change, lfsPathTest(before));
  const write = set.files.filter((file) => !unchanged.has(file.path));
  const format = await formatOf(registry, head);
  const plan = { subdir, write, remove: findGone(change, held), format };
  const written = await writeWorktree(context, registry, plan);
  const expected = expectedFiles(subdir, held, unchanged, written);
  const staged = await stageModels(context, registry, change, plan, attributes);
  if (staged.length === 0 && !change.isManifestStale) {
    if (head !== undefined) await checkTree(registry, head, [`${subdir}/`], expected);
    return undefined;
  }
  const manifest = await createManifest([...unchanged.values(), ...written.map(withoutBlob)], change.details);
  if (manifest.digest !== set.digest) throw changing(set.dir);
  const text = formatManifest(manifest);
  const texts = new Map([[manifestPath, text]]);
  const signature = await change.signer?.sign(manifest, text, posix.basename(subdir));
  if (signature !== undefined) texts.set(signaturePathOf(subdir), signature);
  for (const [path, content] of texts) {
    placeText(context, registry, path, content);
    expected.set(path, await expectedText(format, content));
  }
  if (signature === undefined) removeSignature(context, registry, subdir);
  await stagePaths(context, registry, beside);
  const entries = [...staged, ...await findStaged(registry, head, [...beside, ...attributes])];
  const tree = await makeTree(context, registry, head, entries);
  await checkTree(registry, tree, [`${subdir}/`, ...beside], expected);
  const message = messageOf(change, manifest.digest);
  const index = scratchIndex(registry);
  const paths = restoredPaths(registry, change);
  await askCommitHooks(context, registry, { tree, parent: head, index, message, paths });
  return await commitTree(registry, {
    tree,
    parent: head,
    message,
    host: change.details.origin.host ?? "localhost",
  });
}

/** @returns the model files that differ from the commit */
async function stageModels(
  context: Context,
  registry: Registry,
  { subdir, head }: ModelCommit,
  { write, remove }: WorktreePlan,
  attributes: readonly string[],
): Promise<StagedEntry[]> {
  const folders = new Set(write.flatMap((file) => foldersOf(file.path)));
  const touched = [...remove.filter((path) => !folders.has(path)), ...write.map((file) => file.path)].map((
    path,
  ) => posix.join(subdir, path));
  await stagePaths(context, registry, [...touched, ...attributes]);
  const staged = await findStaged(registry, head, [`${subdir}/`]);
  await refuseFilters(registry, subdir, staged);
  return staged;
}

/** Returns the expected content of the commit: unchanged files as the parent has them, and the written files. */
function expectedFiles(
  subdir: string,
  held: readonly TreeEntry[],
  unchanged: ReadonlyMap<string, ReleaseFile>,
  written: readonly WrittenFile[],
): Map<string, ExpectedFile> {
  const expected = new Map<string, ExpectedFile>();
  for (const { path, blob } of held) {
    const file = unchanged.get(posix.relative(subdir, path));
    if (file !== undefined) expected.set(path, { ...file, blob });
  }
  for (const file of written) expected.set(posix.join(subdir, file.path), file);
  return expected;
}

async function expectedText(format: ObjectFormat, text: string): Promise<ExpectedFile> {
  const size = new TextEncoder().encode(text).length;
  return { size, sha256: await sha256Hex(text), blob: await blobIdOf(format, text) };
}

function withoutBlob({ blob: _, ...file }: WrittenFile): ReleaseFile {
  return file;
}

/** Removes an existing signature: it belongs to another release. */
function removeSignature(context: Context, registry: Registry, subdir: string): void {
  const path = signaturePathOf(subdir);
  const present = join(registry.git.repoDir, path);
  if (findEntry(context.fs, present) === undefined) return;
  context.log.warn(
    `removing ${path}: it belongs to an earlier release, and no signing key is configured here`,
  );
  removeFile(context.fs, present);
}

function messageOf(change: ModelCommit, digest: Digest): string {
  const trailers = [`${RELEASE_TRAILER}: ${digest}`, `${SEQUENCE_TRAILER}: ${change.details.sequence}`];
  return `${change.message.trimEnd()}\n\n${trailers.join("\n")}\n`;
}

/** Returns the files whose content, and whose storage inside or outside Git LFS, did not change. */
function unchangedFiles(change: ModelCommit, wasLfs: (path: string) => boolean): Map<string, ReleaseFile> {
  const base = new Map(change.base?.files.map((file) => [file.path, file]));
  const lfsPaths = new Set(change.lfsPaths);
  const unchanged = new Map<string, ReleaseFile>();
  for (const file of change.set.files) {
    const before = base.get(file.path);
    const stays = wasLfs(posix.join(change.subdir, file.path)) === lfsPaths.has(file.path);
    if (before?.sha256 === file.sha256 && stays) unchanged.set(file.path, before);
  }
  return unchanged;
}

/** Writes the LFS paths into `.gitattributes`; returns whether the file changed. */
function writeAttributes(
  context: Context,
  registry: Registry,
  change: ModelCommit,
  before: string,
): boolean {
  const after = withLfsPaths(before, change.lfsPaths.map((file) => posix.join(change.subdir, file)));
  if (after === before) return false;
  placeText(context, registry, ATTRIBUTES, after);
  return true;
}

/** Returns the files of the registry that the set does not have, relative to the model folder. */
function findGone({ subdir, set }: ModelCommit, held: readonly TreeEntry[]): string[] {
  const kept = new Set(set.files.map((file) => file.path));
  return held.map(({ path }) => posix.relative(subdir, path)).filter((path) => !kept.has(path));
}

/** Returns the folders above a path: `a` and `a/b` for `a/b/c`. */
function foldersOf(path: string): string[] {
  return path.split("/").slice(0, -1).map((_, index, parts) => parts.slice(0, index + 1).join("/"));
}
