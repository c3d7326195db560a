import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { replaceFile } from "../core/replace_file.ts";
import { keepBranch } from "./branch.ts";
import { findHooks, type HookName, type Hooks, runHook } from "./hooks.ts";
import { openJournal, scratchOf, takeBack } from "./journal.ts";
import type { ObjectId } from "./object_id.ts";
import type { Registry } from "./registry.ts";
import { restorePaths, showFiles, WHOLE_WORKTREE } from "./worktree.ts";

/** In the order in which git runs them. */
const COMMIT_HOOKS = [
  "pre-commit",
  "prepare-commit-msg",
  "commit-msg",
] as const satisfies readonly HookName[];

/** The commit that hooks check before it is created. */
export interface ProposedCommit {
  readonly tree: ObjectId;
  /** Returns the path of an index with the tree's content. */
  readonly index: () => Promise<string>;
  readonly message: string;
  /** The parent commit. */
  readonly parent: ObjectId | undefined;
  /** Paths of a user's worktree that are restored afterwards, relative to the repository. */
  readonly paths: readonly string[];
}

/**
 * Runs the hooks that may refuse a commit. They get copies of the index and of the message. What they change in the
 * branch and in the worktree is undone: the commit contains what was hashed, on top of the commit that was checked.
 *
 * @throws {FailedError} code `HOOK_REFUSED`
 */
export async function askCommitHooks(
  context: Context,
  registry: Registry,
  commit: ProposedCommit,
): Promise<void> {
  const hooks = await findHooks(context, registry);
  const asked = COMMIT_HOOKS.filter((name) => hooks.has(name));
  if (asked.length === 0) return;
  const { fs } = context;
  const index = join(scratchOf(registry), "hook-index");
  const proposed = await commit.index();
  const message = join(scratchOf(registry), "COMMIT_EDITMSG");
  const paths = registry.isOwn ? WHOLE_WORKTREE : commit.paths;
  if (registry.isOwn) {
    openJournal(context, registry, { phase: "writing", head: commit.parent ?? null, paths: [...paths] });
    await showFiles(context, registry, commit.tree);
  }
  const argsOf = { "pre-commit": [], "prepare-commit-msg": [message, "message"], "commit-msg": [message] };
  for (const name of asked) {
    replaceFile(fs, index, fs.readFileSync(proposed));
    replaceFile(fs, message, commit.message);
    try {
      await runHook(registry, hooks, name, { args: argsOf[name], env: { GIT_INDEX_FILE: index } });
    } finally {
      await takeBackBranch(context, registry, name, commit.parent);
    }
  }
  await restorePaths(context, registry, registry.git, commit.tree, paths);
}

/**
 * Runs the `pre-push` hook, which may refuse a push. What it changes in the branch and in the paths that a publish
 * writes is undone, and in a clone of our own in all paths: with hooks, changes of people there are refused before.
 *
 * @param tip the remote's commit; `undefined` where it has no such branch yet
 * @throws {FailedError} code `HOOK_REFUSED`
 */
export async function askPushHook(
  context: Context,
  registry: Registry,
  push: { readonly commit: ObjectId; readonly tip: ObjectId | undefined; readonly paths: readonly string[] },
): Promise<void> {
  const hooks: Hooks = await findHooks(context, registry);
  if (!hooks.has("pre-push")) return;
  const { commit, tip } = push;
  const paths = registry.isOwn ? WHOLE_WORKTREE : push.paths;
  const { remote, branch } = registry.settings;
  const ref = `refs/heads/${branch}`;
  const url = await registry.git.text(["remote", "get-url", "--push", remote], {
    action: `read the remote ${remote}`,
  });
  openJournal(context, registry, { phase: "writing", head: commit, paths: [...paths] });
  try {
    if (registry.isOwn) await showFiles(context, registry, commit);
    await runHook(registry, hooks, "pre-push", {
      args: [remote, url],
      stdin: `${ref} ${commit} ${ref} ${tip ?? "0".repeat(commit.length)}\n`,
    });
  } finally {
    await takeBackBranch(context, registry, "pre-push", commit);
    await takeBack(context, registry);
  }
}

/**
 * A hook may commit, amend a commit or check out another branch. The branch is set back, and in a clone of our own also
 * which branch is checked out.
 */
async function takeBackBranch(
  context: Context,
  registry: Registry,
  hook: HookName,
  commit: ObjectId | undefined,
): Promise<void> {
  const git = registry.git.uninterrupted();
  const { branch } = registry.settings;
  const ref = `refs/heads/${branch}`;
  const call = { action: `set ${branch} of ${registry.git.repoDir} back`, transfer: true };
  const out = await git.attempt(["symbolic-ref", "--quiet", "HEAD"], call);
  const isCheckedOut = new TextDecoder().decode(out.stdout).trim() === ref;
  if (!isCheckedOut && registry.isOwn) await git.bytes(["symbolic-ref", "HEAD", ref], call);
  const moved = await registry.findCommit(ref);
  if (moved === commit) return;
  context.log.warn(
    `the ${hook} hook moved ${branch} to ${moved?.slice(0, 12) ?? "no commit"}: it is set back to ${
      commit?.slice(0, 12) ?? "no commit"
    }`,
  );
  if (!registry.isOwn) await keepBranch(registry);
  if (commit === undefined) return void await git.bytes(["update-ref", "-d", ref], call);
  // If uncommitted changes prevent the checkout, only the branch is set back.
  if (isCheckedOut && (await git.attempt(["reset", "--keep", "--quiet", commit], call)).code === 0) return;
  await git.bytes(["update-ref", ref, commit], call);
}
