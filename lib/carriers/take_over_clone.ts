import type { Context } from "../core/context.ts";
import { settleAll } from "../core/concurrency.ts";
import { refuseDirty, syncBranch, type SyncedBranch } from "../git/branch.ts";
import { writtenPaths } from "../git/commit_models.ts";
import { settleJournal } from "../git/journal.ts";
import type { Registry } from "../git/registry.ts";

/** Where a publish writes, and whether others' uncommitted work may be there. */
export interface PublisherPlace {
  readonly subdir: string;
  readonly allowDirtyWorktree: boolean;
}

/** Takes back what a killed publish left, and brings the branch to where the remote is. */
export async function takeOverClone(
  context: Context,
  registry: Registry,
  options: PublisherPlace,
): Promise<SyncedBranch> {
  await registry.requireHistory();
  await settleJournal(context, registry);
  return await followRemote(context, registry, options);
}

/** Looks at the worktree and at the remote at once, and checks the branch out as the remote has it. */
export async function followRemote(
  context: Context,
  registry: Registry,
  { allowDirtyWorktree, subdir }: PublisherPlace,
): Promise<SyncedBranch> {
  const [status, tip] = await settleAll([
    registry.hasWorktree ? registry.status() : undefined,
    registry.remoteTip(),
  ]);
  if (status !== undefined) {
    const lost = status.dirty.filter((path) => isOurs(path, subdir));
    if (allowDirtyWorktree) {
      refuseDirty(registry, lost, "commit, stash or remove them: a publish writes just there");
    } else refuseDirty(registry, status.dirty);
  }
  return await syncBranch(context, registry, status, tip);
}

/** What a publish itself writes: uncommitted work there would be lost, so it is refused whatever is allowed. */
function isOurs(path: string, subdir: string): boolean {
  const folder = path.endsWith("/") ? path : `${path}/`;
  return writtenPaths(subdir).map((path) => `${path}/`).some((ours) =>
    folder.startsWith(ours) || (path.endsWith("/") && ours.startsWith(path))
  );
}
