import { redactUrls } from "../core/secret.ts";
import { lfsMissing } from "./git_error.ts";
import { hasLfs, lfsFailure, TRACED } from "./lfs.ts";
import type { ObjectId, Registry } from "./registry.ts";
import { isAnyInLfs } from "./stage_models.ts";
import { listTree } from "./tree.ts";

/**
 * Pushes the Git LFS files of the branch, before its commit: a commit must never name content that the registry does
 * not have. Attributes that keep models in Git LFS may stand in any folder above them, and in a user's clone outside
 * the repository.
 *
 * @param subdir the model folder in the repository
 * @throws {UsageError} code `LFS_MISSING`; what {@link lfsFailure} makes of a failure
 */
export async function pushLfs(registry: Registry, commit: ObjectId, subdir: string): Promise<void> {
  const models = await listTree(registry.git, commit, [`${subdir}/`]);
  if (!await isAnyInLfs(registry, models.map(({ path }) => path))) return;
  if (!await hasLfs(registry)) throw lfsMissing("models of this commit are kept in Git LFS");
  const { remote, branch } = registry.settings;
  const git = registry.git.with(TRACED);
  const action = `push Git LFS files to ${redactUrls(registry.remoteUrl.url)}`;
  const result = await git.attempt(["lfs", "push", remote, branch], {
    action,
    label: "git lfs push",
    transfer: true,
  });
  if (result.code !== 0) throw await lfsFailure(registry, git, action, result);
}
