import type { Context } from "../core/context.ts";
import { settleAll } from "../core/concurrency.ts";
import { refuseDirty, syncBranch, type SyncedBranch } from "../git/branch.ts";
import { writtenPaths } from "../git/commit_models.ts";
import { findHooks } from "../git/hooks.ts";
import { settleJournal } from "../git/journal.ts";
import { readLocalTip } from "../git/local_tip.ts";
import type { Registry } from "../git/registry.ts";
import { deleteGivenUpPacks } from "../git/unpushed_packs.ts";

/** The folder that a publish writes, and whether the worktree may contain other uncommitted changes. */
export interface PublisherPlace {
  readonly subdir: string;
  readonly allowDirtyWorktree: boolean;
}

/** Undoes what a killed publish left, and updates the branch from the remote. */
export async function takeOverClone(
  context: Context,
  registry: Registry,
  options: PublisherPlace,
): Promise<SyncedBranch> {
  await registry.requireHistory();
  await settleJournal(context, registry);
  return await followRemote(context, registry, options);
}

/** Checks the worktree and the remote in parallel, and checks out the branch as the remote has it. */
export async function followRemote(
  context: Context,
  registry: Registry,
  { allowDirtyWorktree, subdir }: PublisherPlace,
): Promise<SyncedBranch> {
  const local = readLocalTip(context, registry.settings)?.commit;
  const [status, asked] = await settleAll([
    registry.hasWorktree ? registry.status() : undefined,
    local === undefined ? registry.remoteTip() : undefined,
  ]);
  // A local answer may only show that nothing is new.
  const isNews = local !== undefined && local !== status?.head;
  const tip = isNews ? await registry.remoteTip() : local ?? asked;
  if (status !== undefined) {
    const lost = status.dirty.filter((path) => isOurs(path, subdir));
    if (allowDirtyWorktree) {
      refuseDirty(registry, lost, "commit, stash or remove them: a publish overwrites these paths");
      if (registry.isOwn) await refuseBesideHooks(context, registry, status.dirty);
    } else refuseDirty(registry, status.dirty);
  }
  const branch = await syncBranch(context, registry, status, tip);
  await deleteGivenUpPacks(context, registry);
  return branch;
}

/**
 * Refuses uncommitted changes in a clone of our own that has hooks. While a hook runs, the worktree has the release's
 * files, and what the hook leaves there is removed: that could not be told from a person's changes.
 */
async function refuseBesideHooks(
  context: Context,
  registry: Registry,
  dirty: readonly string[],
): Promise<void> {
  if (dirty.length === 0) return;
  for (const [name, path] of await findHooks(context, registry)) {
    refuseDirty(
      registry,
      dirty,
      `move these files elsewhere, or disable the ${name} hook (${path}): it needs the release's files in this folder`,
    );
  }
}

/** Whether a publish writes the path. Uncommitted changes there would be lost, so they are always refused. */
function isOurs(path: string, subdir: string): boolean {
  const folder = path.endsWith("/") ? path : `${path}/`;
  return writtenPaths(subdir).map((path) => `${path}/`).some((ours) =>
    folder.startsWith(ours) || (path.endsWith("/") && ours.startsWith(path))
  );
}
