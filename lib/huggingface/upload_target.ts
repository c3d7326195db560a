import type { Context } from "../core/context.ts";
import { ModelSyncError, RefusedError } from "../core/errors.ts";
import type { Manifest } from "../release/manifest.ts";
import { readSeal, type Seal, type Sealed } from "../signing/seal.ts";
import type { CommitId, Hub, HubFile } from "./hub.ts";
import { readHubManifest } from "./hub_manifest.ts";

/** The content of a branch before an upload. */
export interface UploadTarget {
  readonly commit: CommitId;
  readonly files: readonly HubFile[];
  /** Missing as well if it is damaged. */
  readonly manifest: Manifest | undefined;
  /** The unchanged text of the manifest, and the signature beside it. */
  readonly text?: string | undefined;
  readonly signature?: string | undefined;
}

/** The part of a target that does not exist yet. An upload creates it. */
export type MissingTarget = "repository" | "branch";

/** The content of the branch, or the part that is missing. */
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

/** Returns whether {@link findTarget} found the branch. */
export function isThere(target: CommitId | MissingTarget): target is CommitId {
  return target !== "repository" && target !== "branch";
}

/** Creates the missing repository, and the missing branch from the repository's main branch. */
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
      // Always sent: without it, the organisation's default decides.
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

/** Reads the content of a commit. A damaged manifest is a warning, because the upload replaces it. */
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

/** Returns the signature and the expiry that the branch has. */
export async function targetSeal(
  seal: Seal | undefined,
  { manifest, text, signature }: Pick<UploadTarget, "manifest" | "text" | "signature">,
): Promise<Sealed> {
  if (manifest === undefined || text === undefined) return {};
  return await readSeal(seal, manifest, text, signature);
}
