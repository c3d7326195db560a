import type { Context } from "../core/context.ts";
import { checkOut, keepBranch } from "../git/branch.ts";
import type { Relation } from "../git/commits.ts";
import { moveWorktree } from "../git/journal.ts";
import type { ObjectId } from "../git/object_id.ts";
import type { Registry } from "../git/registry.ts";

/** The commit to which a clone's branch moves. */
export interface BranchMove {
  readonly commit: ObjectId;
  /** How the branch relates to it; `undefined` for a new branch. */
  readonly relation: Relation | undefined;
  /** Gives up the commits of a user's clone that the remote does not have. */
  readonly resetToRemote: boolean;
}

/** Moves the branch of a clone to a commit, and its worktree, unless the clone has commits that the remote lacks. */
export async function moveBranch(
  context: Context,
  registry: Registry,
  { commit, relation, resetToRemote }: BranchMove,
): Promise<void> {
  const { branch } = registry.settings;
  const action = `move ${branch} of ${registry.git.repoDir} to ${commit.slice(0, 12)}`;
  const moves = relation === undefined || relation === "behind" ||
    (relation !== "same" && registry.isOwn) ||
    (relation === "diverged" && resetToRemote);
  if (relation === "diverged" && !registry.isOwn) await keepBranch(registry);
  if (!registry.hasWorktree) {
    if (moves) {
      await registry.git.bytes(["update-ref", `refs/heads/${branch}`, commit], { action, isAlone: true });
    }
    return;
  }
  const status = await registry.status();
  if (status.branch !== branch) {
    await moveWorktree(context, registry, status, () => checkOut(registry, commit));
  }
  if (!moves) return;
  const move = relation === "diverged" ? ["reset", "--keep"] : ["merge", "--ff-only"];
  await moveWorktree(
    context,
    registry,
    status,
    () => registry.git.bytes([...move, "--quiet", commit], { action, transfer: true }),
  );
}
