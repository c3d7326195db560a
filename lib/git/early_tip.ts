import { dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { findEntry } from "../core/files.ts";
import type { CloneFacts } from "./clone_facts.ts";
import { Git } from "./git.ts";
import { findTip } from "./list_branch.ts";
import type { ObjectId } from "./object_id.ts";
import type { RegistrySettings } from "./registry_settings.ts";
import { parseRemoteUrl } from "./remote_url.ts";

/**
 * A query for the newest commit of a registry on this disk, which runs while the clone is examined. Git asks outside of
 * every repository, as nothing is known of the clone's configuration yet, which may name programs.
 */
export class EarlyTip {
  readonly #address: string;
  readonly #tip: Promise<ObjectId | undefined>;

  private constructor(address: string, tip: Promise<ObjectId | undefined>) {
    this.#address = address;
    this.#tip = tip;
  }

  /** Begins a query for a clone in the store, which only the run with the store's lock uses; `undefined` for others. */
  static begin(context: Context, settings: RegistrySettings): EarlyTip | undefined {
    const { repoUrl, repoDir, branch } = settings;
    if (settings.isInStore !== true || repoUrl === undefined || !repoUrl.startsWith("/")) return undefined;
    if (!parseRemoteUrl(repoUrl).isLocal || findEntry(context.fs, join(repoDir, ".git")) === undefined) {
      return undefined;
    }
    return new EarlyTip(repoUrl, ask(context, { ...settings, repoDir: dirname(repoDir) }, repoUrl, branch));
  }

  /** Waits for the end of the query. Never fails. */
  async end(): Promise<void> {
    await this.#tip;
  }

  /**
   * Returns the newest commit of the branch; `undefined` if the clone has another remote than the configured one, or if
   * the query failed: then the remote has to be asked.
   */
  async of({ isOwn, remoteUrl }: CloneFacts): Promise<ObjectId | undefined> {
    const tip = await this.#tip;
    return isOwn && remoteUrl === this.#address ? tip : undefined;
  }
}

/** Never fails: the query that follows says what is wrong. */
async function ask(
  context: Context,
  settings: RegistrySettings,
  address: string,
  branch: string,
): Promise<ObjectId | undefined> {
  const call = { action: `query the branch ${branch} of ${address}`, remote: true, isAlone: true };
  const name = `refs/heads/${branch}`;
  try {
    const { code, stdout } = await new Git(context, settings).attempt(["ls-remote", address, name], call);
    return code === 0 ? findTip(stdout, name) : undefined;
  } catch {
    return undefined;
  }
}
