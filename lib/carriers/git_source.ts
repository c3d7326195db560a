import type { Context } from "../core/context.ts";
import { removeTree } from "../core/files.ts";
import { redactUrls } from "../core/secret.ts";
import { readLocalTip } from "../git/local_tip.ts";
import type { ObjectId } from "../git/object_id.ts";
import { GitReleaseIndex } from "../git/release_index.ts";
import type { ReleaseIndex } from "../release/release_index.ts";
import type { Staging } from "../store/staging.ts";
import { findRevision } from "../store/revisions.ts";
import type { Store } from "../store/store.ts";
import type { Offer, Revision, Source } from "./carrier.ts";
import type { GitCommits } from "./git_commits.ts";
import type { GitSourceOptions } from "./git_source_options.ts";
import type { PulledClone } from "./pulled_clone.ts";

/**
 * Pulls from a git repository, with a shallow fetch. What reads the clone is loaded only where the clone is needed: not
 * for a registry on this disk that has nothing new.
 */
export class GitSource implements Source {
  readonly carrier = "git";
  readonly index: ReleaseIndex | undefined;
  readonly #context: Context;
  readonly #options: GitSourceOptions;
  readonly #store: Store | undefined;
  #clone: PulledClone | undefined;
  #commits: GitCommits | undefined;

  /** @param store remembers digests of git objects; `undefined` in a dry run before the first pull */
  constructor(context: Context, options: GitSourceOptions, store: Store | undefined) {
    this.#context = context;
    this.#options = options;
    this.#store = store;
    this.index = store && new GitReleaseIndex(context, store.root, options.indexedFilesMin);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#clone?.registry[Symbol.dispose]();
    await removeTree(this.#context.fs, this.#options.scratch);
  }

  async resolve(): Promise<Revision> {
    const known = this.#knownRevision();
    // The clone is not needed, and its code not loaded: it has nothing new to fetch.
    if (known !== undefined) return known;
    const clone = await this.#openClone();
    const { registry, tip } = await clone.withReplacing(async (registry) => {
      this.#logQuery(registry.remoteUrl.url);
      return { registry, tip: await registry.remoteTip() };
    });
    if (tip === undefined) {
      const { missingBranch } = await import("../git/branch.ts");
      throw missingBranch(registry);
    }
    return this.#revision(tip, registry.remoteUrl.url);
  }

  async inspect(revision: Revision): Promise<Offer> {
    return await (await this.#openCommits()).inspect(revision);
  }

  async stage(offer: Offer, staging: Staging): Promise<void> {
    await (await this.#openCommits()).stage(offer, staging);
  }

  async accept(offer: Offer): Promise<void> {
    await (await this.#openCommits()).accept(offer);
  }

  /** Returns the revision of a registry on this disk if the store has seen it as the last one from there. */
  #knownRevision(): Revision | undefined {
    const local = readLocalTip(this.#context, this.#options.registry);
    if (local === undefined) return undefined;
    const revision = this.#revision(local.commit, local.address);
    if (!this.#isSeen(revision)) return undefined;
    this.#logQuery(local.address);
    return revision;
  }

  #revision(tip: ObjectId, address: string): Revision {
    const { registry: { branch }, subdir } = this.#options;
    return { id: tip, source: `git ${redactUrls(address)} ${branch} ${subdir}` };
  }

  #logQuery(address: string): void {
    this.#context.log.info(`asking ${redactUrls(address)} for ${this.#options.registry.branch}`);
  }

  #isSeen({ id, source }: Revision): boolean {
    return this.#store !== undefined && findRevision(this.#store, source)?.revision === id;
  }

  async #openClone(): Promise<PulledClone> {
    const { PulledClone } = await import("./pulled_clone.ts");
    const clone = this.#clone = await PulledClone.open(this.#context, this.#options);
    if (this.#options.owner !== "unlocked") await clone.settle(this.#context);
    return clone;
  }

  async #openCommits(): Promise<GitCommits> {
    const clone = this.#clone ?? await this.#openClone();
    const { GitCommits } = await import("./git_commits.ts");
    return this.#commits ??= new GitCommits(this.#context, this.#options, this.#store, clone);
  }
}
