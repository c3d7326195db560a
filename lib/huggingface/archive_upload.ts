import { FailedError } from "../core/errors.ts";
import { hashFile } from "../core/hash.ts";
import type { Context } from "../core/context.ts";
import { statOf } from "../release/scan_folder.ts";
import { Hub } from "./hub.ts";
import { commitToHub } from "./hub_commit.ts";
import type { HubSettings } from "./hub_settings.ts";
import { findTarget, isThere, makeTarget } from "./upload_target.ts";
import { BranchMoved } from "./upload_http.ts";

/** The archive's path in the repository, apart from its models. */
const ARCHIVE_PATH = "archives/models_latest.zip";

/** How often the upload starts over when another writer moves the branch meanwhile. */
const ATTEMPTS_MAX = 5;

/**
 * Uploads an archive into a repository on the hub and returns its address. The address names the commit, so later
 * uploads do not change its content. Clients download it without a token, so the repository has to be public.
 */
export async function uploadArchiveToHub(
  context: Context,
  settings: HubSettings,
  path: string,
): Promise<string> {
  const hub = new Hub(context, settings);
  const info = context.fs.statSync(path);
  const { bytes: size, sha256 } = await hashFile(context.fs, path, { signal: context.signal });
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const found = await findTarget(hub);
    const parent = isThere(found) ? found : await makeTarget(context, hub, found, false);
    try {
      const { commit } = await commitToHub(context, hub, {
        parent,
        message: "chore(models): archive of a RunPod job",
        files: [{ path: ARCHIVE_PATH, location: path, size, sha256, info: statOf(info) }],
        texts: {},
        removed: [],
        held: new Set(),
        asPullRequest: false,
      });
      return hub.locate(commit, ARCHIVE_PATH).url;
    } catch (error) {
      if (!(error instanceof BranchMoved)) throw error;
    }
  }
  throw new FailedError(
    `Cannot upload the archive to ${settings.repoId}: another writer moved the branch ${ATTEMPTS_MAX} times in a row`,
    {
      code: "UPLOAD_LOST",
      hint: "start the job again, and check which other programs upload to the repository",
    },
  );
}
