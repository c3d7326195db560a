import { dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { Git } from "./git.ts";
import { findTip } from "./list_branch.ts";
import type { ObjectId } from "./object_id.ts";
import { hasMarkFile } from "./own_config.ts";
import type { RegistrySettings } from "./registry_settings.ts";
import { parseRemoteUrl } from "./remote_url.ts";

/** The newest commit of a branch, and the path of the registry that git was asked for. */
export interface Tip {
  readonly address: string;
  readonly commit: ObjectId;
}

/**
 * A query for the newest commit of a registry on this disk, which runs while the store is opened and locked without a
 * wait. So the answer shows only that nothing is new: where it names another commit, another run may have pulled that or
 * a later one meanwhile. Disposing of the query ends it.
 */
export class EarlyTip implements AsyncDisposable {
  readonly #needless = new AbortController();
  /** `undefined` if the query failed, or for a clone that is not one of our own in the store. Never fails. */
  readonly answer: Promise<Tip | undefined>;

  /** Begins the query. @param settings may throw: then nothing is asked */
  constructor(context: Context, settings: () => RegistrySettings) {
    const signal = AbortSignal.any([context.signal, this.#needless.signal]);
    this.answer = ask({ ...context, signal }, settings);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#needless.abort();
    await this.answer;
  }
}

/** Asks outside of every repository, as nothing is known of the clone's configuration, which may name programs. */
async function ask(context: Context, settings: () => RegistrySettings): Promise<Tip | undefined> {
  try {
    const registry = settings();
    const { repoUrl, repoDir, branch } = registry;
    if (registry.isInStore !== true || repoUrl === undefined || !repoUrl.startsWith("/")) return undefined;
    if (!parseRemoteUrl(repoUrl).isLocal || !hasMarkFile(context, join(repoDir, ".git"))) return undefined;
    context.log.info(`asking ${repoUrl} for ${branch}`);
    const git = new Git(context, { ...registry, repoDir: dirname(repoDir) });
    const name = `refs/heads/${branch}`;
    const call = { action: `query the branch ${branch} of ${repoUrl}`, remote: true, isAlone: true };
    const { code, stdout } = await git.attempt(["ls-remote", repoUrl, name], call);
    const commit = code === 0 ? findTip(stdout, name) : undefined;
    return commit === undefined ? undefined : { address: repoUrl, commit };
  } catch {
    // What opens the store and the clone next reports the failure.
    return undefined;
  }
}
