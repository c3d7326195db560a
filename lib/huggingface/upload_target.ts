import type { Context } from "../core/context.ts";
import { ModelSyncError, RefusedError } from "../core/errors.ts";
import type { Manifest } from "../release/manifest.ts";
import type { CommitId, Hub, HubFile } from "./hub.ts";
import { readHubManifest } from "./hub_manifest.ts";

/** What a branch holds that an upload would build on. */
export interface UploadTarget {
  readonly commit: CommitId;
  readonly files: readonly HubFile[];
  /** Missing, too, where it is one that nobody can use. */
  readonly manifest: Manifest | undefined;
  /** The manifest's very text, and the signature beside it. */
  readonly text?: string | undefined;
  readonly signature?: string | undefined;
}

/** What is missing of a target: an upload makes it. */
export type MissingTarget = "repository" | "branch";

/** Where the branch is; or what of it there is not yet. */
export async function findTarget(hub: Hub): Promise<CommitId | MissingTarget> {
  try {
    return (await hub.findCommit()).commit;
  } catch (error) {
    if (!(error instanceof ModelSyncError)) throw error;
    if (error.code === "REPO_NOT_FOUND" && error.exitCode === 4) return "repository";
    if (error.code === "REVISION_NOT_FOUND") return "branch";
    throw error;
  }
}

/** Whether {@link findTarget} found the branch. */
export function isThere(target: CommitId | MissingTarget): target is CommitId {
  return target !== "repository" && target !== "branch";
}

/** Makes what is missing: the repository, and the branch, from the repository's main one. */
export async function makeTarget(
  context: Context,
  hub: Hub,
  missing: MissingTarget,
  isPrivate: boolean,
): Promise<CommitId> {
  const { endpoint, repoId, revision } = hub.settings;
  if (missing === "repository") {
    const [organization, name] = repoId.split("/");
    context.log.info(`creating the ${isPrivate ? "private " : ""}repository ${repoId}`);
    await hub.create(`${endpoint}/api/repos/create`, `the repository ${repoId}`, {
      type: "model",
      name,
      organization,
      // Without it the organisation's own rule decides.
      ...(isPrivate ? { visibility: "private" } : {}),
    });
    const target = await findTarget(hub);
    if (isThere(target)) return target;
  }
  context.log.info(`creating the branch ${revision} of ${repoId}`);
  const url = hub.apiUrl(`branch/${encodeURIComponent(revision)}`);
  await hub.create(url, `the branch ${revision} of ${repoId}`, {});
  return (await hub.findCommit()).commit;
}

/** Reads what a commit holds. A damaged manifest is what an upload puts right. */
export async function readTarget(context: Context, hub: Hub, commit: CommitId): Promise<UploadTarget> {
  const files = await hub.listFiles(commit);
  try {
    return { commit, files, manifest: undefined, ...await readHubManifest(hub, commit, files) };
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    context.log.warn(`${error.message}; it will be replaced`);
    return { commit, files, manifest: undefined };
  }
}
