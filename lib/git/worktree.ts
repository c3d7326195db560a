import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { removeFile, removeIfThere, removeTree } from "../core/files.ts";
import type { Git } from "./git.ts";
import type { ObjectId } from "./object_id.ts";
import type { Registry } from "./registry.ts";
import { isRemoval, removeMarks, type StagedEntry } from "./stage_models.ts";
import { syncFiles } from "./sync_clone.ts";

/** The paths that mean the whole worktree. */
export const WHOLE_WORKTREE: readonly string[] = ["."];

/** A change of the index and the worktree from one tree to another. */
export interface WorktreeChange {
  /** The commit that is checked out; `undefined` on a branch without commits. */
  readonly head: ObjectId | undefined;
  readonly tree: ObjectId;
  /** All paths that may differ, relative to the repository. */
  readonly paths: readonly string[];
  readonly written: readonly string[];
  readonly removed: readonly string[];
}

/**
 * Brings the index and the worktree to the tree of a new commit. A clone of our own has no files in its worktree, except
 * for hooks. Links in the way are removed, never followed: a registry cannot make a publisher write elsewhere.
 */
export async function showTree(
  context: Context,
  registry: Registry,
  change: WorktreeChange,
): Promise<void> {
  const { head, tree, paths, written, removed } = change;
  if (registry.isOwn) {
    const from = head === undefined ? [] : [head];
    return void await readTree(registry.git, ["-m", "-u", ...from, tree]);
  }
  const root = registry.git.repoDir;
  await removeMarks(registry, paths);
  await restorePaths(context, registry, registry.git, tree, paths);
  // The clean-up spares files that the repository's rules ignore.
  for (const path of removed) removeFile(context.fs, join(root, path));
  await syncFiles(context, root, written.map((path) => join(root, path)));
}

/** The most characters of changed paths. A call has each of them twice, and Windows allows 32,767 characters. */
const STAGED_CHARS_MAX = 10_000;
/** The characters beside a path: its mode, git's name for its content, options. */
const CHARS_BESIDE = 100;

/**
 * Does the work of {@link showTree} in a clone of our own without files, if few entries differ: in a third of the time, and
 * before the tree and its files exist.
 *
 * @param changes all differences
 * @returns whether it is done
 */
export async function stageChanges(
  context: Context,
  registry: Registry,
  changes: readonly StagedEntry[],
): Promise<boolean> {
  if (!mayStage(context, registry, changes)) return false;
  await stageOwn(registry.git, changes);
  return true;
}

/** Whether changes are few and the worktree has no file, which only a change of the whole index would remove. */
function mayStage({ fs }: Context, registry: Registry, changes: readonly StagedEntry[]): boolean {
  const chars = changes.reduce((sum, { path }) => sum + path.length + CHARS_BESIDE, 0);
  // Git takes a removed path that begins like an option for one.
  const isOption = changes.some(({ path }) => path.startsWith("-"));
  if (chars > STAGED_CHARS_MAX || isOption || !registry.isOwn || !registry.hasWorktree) return false;
  for (const { name } of fs.readDirSync(registry.git.repoDir)) if (name !== ".git") return false;
  return true;
}

/** Changes entries of the index, and marks them as files that are not in the worktree. */
async function stageOwn(git: Git, changes: readonly StagedEntry[]): Promise<void> {
  const removals = changes.filter(isRemoval);
  const entries = changes.filter((change) => !isRemoval(change));
  const paths = entries.map(({ path }) => path);
  await git.bytes([
    "update-index",
    "--add",
    "--replace",
    // Git removes the paths after the first of these options, and marks those after the second.
    "--force-remove",
    ...removals.map(({ path }) => path),
    ...entries.flatMap(({ mode, blob, path }) => ["--cacheinfo", `${mode},${blob},${path}`]),
    "--skip-worktree",
    "--",
    ...paths,
  ], { ...callOf(git), isAlone: true });
}

/**
 * Writes all files of a tree into the worktree of a clone of our own, for a hook. Files in Git LFS are pointers there.
 * {@link restorePaths} of {@link WHOLE_WORKTREE} removes them. Changes of people are overwritten: there must be none.
 */
export async function showFiles(
  { fs }: Pick<Context, "fs">,
  registry: Registry,
  tree: ObjectId,
): Promise<void> {
  removeIfThere(fs, join(registry.gitDir, "index"));
  const git = registry.git.with({ env: { GIT_LFS_SKIP_SMUDGE: "1" } });
  await readTree(git, ["--reset", "-u", "--no-sparse-checkout", tree]);
}

/** Restores paths in the index and the worktree to a commit or tree. Paths that it does not have are removed. */
export async function restorePaths(
  context: Pick<Context, "fs">,
  registry: Registry,
  git: Git,
  tree: ObjectId | undefined,
  paths: readonly string[],
): Promise<void> {
  if (registry.isOwn) await restoreOwn(context, registry, git, tree, paths);
  else await restoreUsers(git, tree, paths);
  await git.bytes(["--literal-pathspecs", "clean", "-ffdq", "--", ...paths], callOf(git));
}

/**
 * The worktree of a clone of our own is empty, except for changes of people in a clone that an earlier version made.
 * They are not at these paths, unless these are all, and stay.
 */
async function restoreOwn(
  { fs }: Pick<Context, "fs">,
  { gitDir }: Registry,
  git: Git,
  tree: ObjectId | undefined,
  paths: readonly string[],
): Promise<void> {
  if (!paths.includes(".")) {
    for (const path of paths) await removeTree(fs, join(git.repoDir, path));
    // Unlike --reset, -m leaves changed files unchanged.
    return await readTree(git, tree === undefined ? ["--empty"] : ["-m", "-u", tree]);
  }
  for (const { name } of fs.readDirSync(git.repoDir)) {
    if (name !== ".git") await removeTree(fs, join(git.repoDir, name));
  }
  // Git leaves files that differ from the index. Without one, it knows of none.
  removeIfThere(fs, join(gitDir, "index"));
  await readTree(git, tree === undefined ? ["--empty"] : ["--reset", "-u", tree]);
}

async function restoreUsers(git: Git, tree: ObjectId | undefined, paths: readonly string[]): Promise<void> {
  const call = callOf(git);
  const run = async (command: string, ...args: string[]) =>
    await git.bytes(["--literal-pathspecs", command, ...args], call);
  if (tree === undefined) {
    return void await run("rm", "-r", "-f", "--cached", "--quiet", "--ignore-unmatch", "--", ...paths);
  }
  await run("reset", "--quiet", tree, "--", ...paths);
  const listed = (await git.text(["--literal-pathspecs", "ls-files", "-z", "--", ...paths], call)).split(
    "\0",
  );
  const held = paths.filter((path) =>
    listed.some((name) => name === path || name.startsWith(`${path}/`) || (path === "." && name !== ""))
  );
  if (held.length > 0) await run("checkout", "--quiet", tree, "--", ...held);
}

async function readTree(git: Git, args: readonly string[]): Promise<void> {
  await git.bytes(["read-tree", ...args], callOf(git));
}

function callOf({ repoDir }: Git) {
  return { action: `restore the worktree of ${repoDir}`, transfer: true };
}
