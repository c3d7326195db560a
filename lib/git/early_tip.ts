import { dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { Git } from "./git.ts";
import { findTip } from "./list_branch.ts";
import type { ObjectId } from "./object_id.ts";
import { hasMarkFile } from "./own_config.ts";
import type { RegistrySettings } from "./registry_settings.ts";
import { parseRemoteUrl } from "./remote_url.ts";

/** The newest commit of a registry's branch, which was asked for before the clone was opened. */
export interface EarlyTip {
  /** The registry's path, as git was asked for it: git's configuration may name another place for it. */
  readonly address: string;
  readonly tip: ObjectId;
}

/**
 * Asks a registry on this disk for its newest commit, without the clone. Git asks outside of every repository, as
 * nothing is known of the clone's configuration yet, which may name programs. Never fails: `undefined` if the query
 * failed, or if the clone is not one of our own in the store. Then the remote is asked as the clone is configured.
 */
export async function askEarly(context: Context, settings: RegistrySettings): Promise<EarlyTip | undefined> {
  const { repoUrl, repoDir, branch } = settings;
  if (settings.isInStore !== true || repoUrl === undefined || !repoUrl.startsWith("/")) return undefined;
  if (!parseRemoteUrl(repoUrl).isLocal) return undefined;
  const git = new Git(context, { ...settings, repoDir: dirname(repoDir) });
  const call = { action: `query the branch ${branch} of ${repoUrl}`, remote: true, isAlone: true };
  const name = `refs/heads/${branch}`;
  try {
    if (!hasMarkFile(context, join(repoDir, ".git"))) return undefined;
    context.log.info(`asking ${repoUrl} for ${branch}`);
    const { code, stdout } = await git.attempt(["ls-remote", repoUrl, name], call);
    const tip = code === 0 ? findTip(stdout, name) : undefined;
    return tip === undefined ? undefined : { address: repoUrl, tip };
  } catch {
    return undefined;
  }
}
