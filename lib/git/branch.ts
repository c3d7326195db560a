import type { Context } from "../core/context.ts";
import { RefusedError, UnreachableError, UsageError } from "../core/errors.ts";
import { redactUrls } from "../core/secret.ts";
import type { Digest } from "../release/manifest.ts";
import { moveWorktree } from "./journal.ts";
import type { ObjectId } from "./object_id.ts";
import type { Registry } from "./registry.ts";
import { deleteGivenUpPacks } from "./unpushed_packs.ts";
import type { WorktreeStatus } from "./worktree_status.ts";

/** The trailers of a publish commit. They distinguish our commits from those of people. */
export const RELEASE_TRAILER = "Model-Release";
export const SEQUENCE_TRAILER = "Model-Sequence";

/** Returns the message of a publish commit, with its trailers. */
export function publishMessage(message: string, release: Digest, sequence: number): string {
  const trailers = [`${RELEASE_TRAILER}: ${release}`, `${SEQUENCE_TRAILER}: ${sequence}`];
  return `${message.trimEnd()}\n\n${trailers.join("\n")}\n`;
}

/** More unpushed commits than this are not left over from failed runs. */
const UNPUSHED_COMMITS_MAX = 1000;

/** The configured branch, checked out on top of the remote's. */
export interface SyncedBranch {
  /** Its newest commit; `undefined` on a branch without commits. */
  readonly head: ObjectId | undefined;
  /** Whether it has commits that are not on the remote. */
  readonly unpushed: boolean;
  /** The remote's commit that it builds on; `undefined` if the remote does not have the branch. */
  readonly tip: ObjectId | undefined;
}

/**
 * Checks out the configured branch and fast-forwards it to the remote's. If the remote has moved on, our commits that
 * an earlier run could not push are dropped: the publish creates them again on top of the remote's.
 *
 * @param status of the worktree before; `undefined` in a clone that was never checked out
 * @param tip of the remote's branch; `undefined` where it does not exist yet
 * @throws {RefusedError} code `DIVERGED` when people's commits would be lost
 */
export async function syncBranch(
  context: Context,
  registry: Registry,
  status: WorktreeStatus | undefined,
  tip: ObjectId | undefined,
): Promise<SyncedBranch> {
  if (tip !== undefined && status?.branch === registry.settings.branch && status.head === tip) {
    return { head: tip, unpushed: false, tip };
  }
  if (tip !== undefined && await registry.findCommit(tip) === undefined) await registry.fetchCommit(tip);
  // A folder that was never checked out may contain files of the user.
  const move = (work: () => Promise<unknown>) =>
    status === undefined && !registry.isOwn
      ? work()
      : moveWorktree(context, registry, status ?? { dirty: [] }, work);
  if (status?.branch !== registry.settings.branch) await move(() => checkOut(registry, tip));
  if (status === undefined) await move(() => populate(registry, tip));
  const head = await registry.findCommit("HEAD");
  if (tip === undefined) return { head, unpushed: head !== undefined, tip };
  const call = {
    action: `fast-forward ${registry.settings.branch} in ${registry.git.repoDir}`,
    transfer: true,
  };
  const forward = () => registry.git.bytes(["merge", "--ff-only", "--quiet", tip], call);
  if (head === undefined) {
    await move(forward);
    return { head: tip, unpushed: false, tip };
  }
  switch (await registry.relation(registry.git, head, tip)) {
    case "same":
      return { head, unpushed: false, tip };
    case "ahead":
      return { head, unpushed: true, tip };
    case "behind":
      await move(forward);
      return { head: tip, unpushed: false, tip };
    case "diverged":
      if (!await areOurs(registry, tip, head)) throw diverged(registry, head, tip);
      context.log.info(`commit ${head.slice(0, 12)} is given up: the remote has new commits`);
      // Unlike --hard, --keep fails instead of discarding uncommitted changes.
      await move(() => registry.git.bytes(["reset", "--keep", "--quiet", tip], call));
      return { head: tip, unpushed: false, tip };
  }
}

/** Puts HEAD on the configured branch: the existing one, the remote's, or a new one. */
export async function checkOut(registry: Registry, tip: ObjectId | undefined): Promise<void> {
  const { branch } = registry.settings;
  const call = { action: `check out ${branch} in ${registry.git.repoDir}`, transfer: true };
  if (!registry.hasWorktree) await registry.git.bytes(["symbolic-ref", "HEAD", `refs/heads/${branch}`], call);
  else if (await registry.findCommit(`refs/heads/${branch}`) !== undefined) {
    await registry.git.bytes(["checkout", "--quiet", branch], call);
  } else {
    // By its commit: a single-branch clone has no names for the remote's other branches.
    await registry.git.bytes(
      ["checkout", "--quiet", "-b", branch, ...(tip === undefined ? [] : [tip])],
      call,
    );
    await registry.git.bytes(["config", `branch.${branch}.remote`, registry.settings.remote], call);
    await registry.git.bytes(["config", `branch.${branch}.merge`, `refs/heads/${branch}`], call);
  }
}

/** Creates a backup branch at the configured branch, before that is reset to the remote's. */
export async function keepBranch(registry: Registry): Promise<void> {
  const ours = await registry.findCommit(`refs/heads/${registry.settings.branch}`);
  if (ours === undefined) return;
  const name = keptName(registry, ours);
  await registry.git.bytes(["update-ref", `refs/heads/${name}`, ours], { action: `keep ${ours} as ${name}` });
}

function keptName(registry: Registry, ours: ObjectId): string {
  return `${registry.settings.branch}-before-reset-${ours.slice(0, 7)}`;
}

/** Checks out a clone for the first time. Git LFS files stay pointers: publishing does not need their content. */
async function populate(registry: Registry, tip: ObjectId | undefined): Promise<void> {
  const commit = await registry.findCommit("HEAD") ?? tip;
  if (commit === undefined) return;
  await registry.git.with({ env: { GIT_LFS_SKIP_SMUDGE: "1" } }).bytes(
    ["reset", "--hard", "--quiet", commit],
    {
      action: `check out ${registry.settings.branch} in ${registry.git.repoDir}`,
      transfer: true,
    },
  );
}

/**
 * Removes our commits that the remote rejected. Otherwise the next publish would build on them and be rejected for the
 * same reason. Commits of people stay. If there is uncommitted work, all commits stay.
 */
export async function giveUpUnpushed(
  context: Context,
  registry: Registry,
  tip: ObjectId | undefined,
): Promise<void> {
  const status = await registry.status();
  if (status.head === undefined || status.dirty.length > 0) return;
  if (!await areOurs(registry, tip, status.head)) return;
  const call = { action: `remove the rejected commits from ${registry.git.repoDir}`, transfer: true };
  await moveWorktree(context, registry, status, async () => {
    if (tip !== undefined) return await registry.git.bytes(["reset", "--keep", "--quiet", tip], call);
    await registry.git.bytes(["update-ref", "-d", "HEAD"], call);
    await registry.git.bytes(["read-tree", "--empty"], call);
    return await registry.git.bytes(["clean", "-ffdq"], call);
  });
  await deleteGivenUpPacks(context, registry);
}

async function areOurs(registry: Registry, base: ObjectId | undefined, head: ObjectId): Promise<boolean> {
  const log = await registry.git.text(
    [
      "log",
      `--max-count=${UNPUSHED_COMMITS_MAX}`,
      `--format=%H=%(trailers:key=${RELEASE_TRAILER},valueonly,separator=%x2C)`,
      base === undefined ? head : `${base}..${head}`,
    ],
    { action: "list the commits that were not pushed" },
  );
  return log.split("\n").every((line) => /=sha256:[0-9a-f]{64}$/.test(line));
}

/** @throws {UsageError} code `WORKTREE_DIRTY`, with some of the files */
export function refuseDirty(
  registry: Registry,
  dirty: readonly string[],
  hint = "commit, stash or remove the changes first, or run with --allow-dirty-worktree",
): void {
  if (dirty.length === 0) return;
  const some = dirty.slice(0, 3).join(", ") + (dirty.length > 3 ? ` and ${dirty.length - 3} more` : "");
  throw new UsageError(`Cannot work in ${registry.git.repoDir}: its working tree is dirty (${some})`, {
    code: "WORKTREE_DIRTY",
    hint,
  });
}

/**
 * Returns the error for a branch that diverged from the remote's, with the commands that resolve it.
 *
 * @param action what cannot be done
 */
export function diverged(
  registry: Registry,
  ours: ObjectId,
  theirs: ObjectId,
  action = `fast-forward ${registry.settings.branch}`,
): RefusedError {
  const { branch, remote } = registry.settings;
  const git = `git -C ${registry.git.repoDir}`;
  const follow = "to follow the remote: model-sync pull --reset-to-remote; " +
    "add --allow-downgrade if its release is older than the active one";
  return new RefusedError(
    `Cannot ${action}: ${ours.slice(0, 12)} in ${registry.git.repoDir} and ${theirs.slice(0, 12)} ` +
      `at ${registry.remoteBranch} have diverged`,
    {
      code: "DIVERGED",
      // People commit only in a clone of theirs. Its local branch is kept.
      hint: registry.isOwn ? follow : `${follow}; it does: ` +
        `${git} fetch ${remote} ${branch}; ${git} branch ${keptName(registry, ours)} ${ours.slice(0, 12)}; ` +
        `${git} reset --hard ${registry.remoteBranch}`,
    },
  );
}

/** Returns the error for a branch that the remote does not have. */
export function missingBranch(registry: Registry): UnreachableError {
  return new UnreachableError(
    `Cannot find the branch ${registry.settings.branch} in ${
      redactUrls(registry.remoteUrl.url)
    }: there is no such branch`,
    {
      code: "BRANCH_MISSING",
      hint: "publish first, check the address, or set model_sync.branch to the branch that holds the models",
    },
  );
}
