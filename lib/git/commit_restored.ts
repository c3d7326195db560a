import type { Context } from "../core/context.ts";
import { sha256Hex } from "../core/hash.ts";
import type { Digest } from "../release/manifest.ts";
import { askCommitHooks } from "./ask_hooks.ts";
import { ATTRIBUTES, lfsPathTest, withLfsPaths } from "./attributes.ts";
import { fetchBlobs } from "./blobs.ts";
import { publishMessage } from "./branch.ts";
import { restoredPaths } from "./commit_models.ts";
import {
  checkTree,
  createCommit,
  type ExpectedFile,
  formatOf,
  makeTree,
  removalOf,
  removed,
  scratchIndex,
  writeBlob,
} from "./commit_tree.ts";
import type { Git } from "./git.ts";
import { moveWorktree, openJournal, takeBack } from "./journal.ts";
import { blobIdOf, type ObjectId } from "./object_id.ts";
import { readAttributes } from "./read_attributes.ts";
import type { Registry } from "./registry.ts";
import type { StagedEntry } from "./stage_models.ts";
import { listTree, manifestPathOf, signaturePathOf } from "./tree.ts";

/** A commit that changes a manifest, and may restore the models of an earlier commit. */
export interface RestoringCommit {
  readonly subdir: string;
  /** The parent commit. */
  readonly head: ObjectId;
  /** The earlier commit whose models are restored, and the git that reads it. Without it, the models stay. */
  readonly models?: { readonly commit: ObjectId; readonly git: Git } | undefined;
  readonly release: Digest;
  readonly sequence: number;
  /** The text of the manifest. */
  readonly text: string;
  /** The text of the signature; without it, an existing one is removed. */
  readonly signature: string | undefined;
  readonly message: string;
  readonly host: string;
  /** The worktree may contain changes of people, which stay out of the commit. */
  readonly allowDirtyWorktree: boolean;
}

/**
 * Commits a manifest, and the models of an earlier commit with it, on top of the branch. No model is written or read: the
 * tree of the earlier commit is used again. Hooks may refuse the commit, but not change it. The worktree follows.
 *
 * @returns the new commit, which the branch names
 */
export async function commitRestored(
  context: Context,
  registry: Registry,
  change: RestoringCommit,
): Promise<ObjectId> {
  const { head, subdir } = change;
  const entries = change.models === undefined ? [] : await restoredEntries(registry, change, change.models);
  const format = await formatOf(registry, head);
  const expected = new Map<string, ExpectedFile>();
  for (const [path, text] of Object.entries(textsOf(change))) {
    const blob = await writeBlob(registry, text);
    entries.push({ path, mode: "100644", blob });
    const size = new TextEncoder().encode(text).length;
    expected.set(path, { size, sha256: await sha256Hex(text), blob: await blobIdOf(format, text) });
  }
  if (change.signature === undefined) {
    entries.push(...await removalOf(registry, head, signaturePathOf(subdir)));
  }
  const tree = await makeTree(context, registry, head, entries);
  await checkTree(registry, tree, [manifestPathOf(subdir), signaturePathOf(subdir)], expected);
  const message = publishMessage(change.message, change.release, change.sequence);
  await askHooks(context, registry, change, { tree, message });
  const commit = await createCommit(registry, { tree, parent: head, message, host: change.host });
  await moveTo(context, registry, commit);
  return commit;
}

function textsOf({ subdir, text, signature }: RestoringCommit): Record<string, string> {
  const texts = { [manifestPathOf(subdir)]: text };
  return signature === undefined ? texts : { ...texts, [signaturePathOf(subdir)]: signature };
}

/** Returns the changes that give the model folder the content of an earlier commit, with its files in Git LFS. */
async function restoredEntries(
  registry: Registry,
  { subdir, head }: RestoringCommit,
  models: { readonly commit: ObjectId; readonly git: Git },
): Promise<StagedEntry[]> {
  const held = await listTree(registry.git, head, [`${subdir}/`]);
  const wanted = await listTree(models.git, models.commit, [`${subdir}/`]);
  const before = new Map(held.map((entry) => [entry.path, entry]));
  const kept = new Set(wanted.map(({ path }) => path));
  const changed = wanted.filter(({ path, blob, mode }) => {
    const entry = before.get(path);
    return entry?.blob !== blob || entry.mode !== mode;
  });
  const attributes = await readAttributes(registry, registry.git, head);
  const inLfs = lfsPathTest(await readAttributes(registry, models.git, models.commit));
  const restored = withLfsPaths(attributes, wanted.map(({ path }) => path).filter(inLfs));
  // The push reads them.
  await fetchBlobs(registry, changed.map(({ blob }) => blob));
  return [
    ...held.filter(({ path }) => !kept.has(path)).map(removed),
    ...changed,
    ...(restored === attributes
      ? []
      : [{ path: ATTRIBUTES, mode: "100644", blob: await writeBlob(registry, restored) }]),
  ];
}

async function askHooks(
  context: Context,
  registry: Registry,
  change: RestoringCommit,
  { tree, message }: { readonly tree: ObjectId; readonly message: string },
): Promise<void> {
  const { head } = change;
  const paths = restoredPaths(registry, change);
  openJournal(context, registry, { phase: "writing", head, paths: [...paths] });
  try {
    await askCommitHooks(context, registry, {
      tree,
      parent: head,
      index: () => Promise.resolve(scratchIndex(registry)),
      message,
      paths,
    });
  } finally {
    await takeBack(context, registry);
  }
}

/** Moves branch and worktree to a new commit. Files in Git LFS stay pointers: publishing does not need their content. */
async function moveTo(context: Context, registry: Registry, commit: ObjectId): Promise<void> {
  const git = registry.git.with({ env: { GIT_LFS_SKIP_SMUDGE: "1" } });
  await moveWorktree(
    context,
    registry,
    await registry.status(),
    () =>
      git.bytes(["merge", "--ff-only", "--quiet", commit], {
        action: `move ${registry.settings.branch} of ${registry.git.repoDir} to ${commit.slice(0, 12)}`,
        transfer: true,
      }),
  );
}
