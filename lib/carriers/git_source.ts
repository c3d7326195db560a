import type { Context } from "../core/context.ts";
import { removeTree } from "../core/files.ts";
import { redactUrls } from "../core/secret.ts";
import { settleJournal } from "../git/journal.ts";
import { GitReleaseIndex } from "../git/release_index.ts";
import { Registry } from "../git/registry.ts";
import type { ReleaseIndex } from "../release/release_index.ts";
import type { Staging } from "../store/staging.ts";
import type { Store } from "../store/store.ts";
import type { Offer, Revision, Source } from "./carrier.ts";
import type { GitCommits } from "./git_commits.ts";
import type { GitSourceOptions } from "./git_source_options.ts";
import { PulledClone } from "./pulled_clone.ts";

/** Pulls from a git repository, with a shallow fetch. */
export class GitSource implements Source {
  readonly carrier = "git";
  readonly index: ReleaseIndex | undefined;
  readonly #context: Context;
  readonly #options: GitSourceOptions;
  readonly #store: Store | undefined;
  #clone: PulledClone | undefined;
  #commits: Promise<GitCommits> | undefined;

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
    const { registry: settings, owner, scratch, subdir } = this.#options;
    const registry = await Registry.open(this.#context, settings, {
      clone: "blobless",
      asksAtOnce: true,
      ...(owner === "unlocked" ? { owner, scratch } : { owner }),
    });
    const clone = this.#clone = new PulledClone(registry);
    const tip = await clone.withReplacing(async (registry) => {
      if (owner !== "unlocked") await settleJournal(this.#context, registry);
      this.#context.log.info(`asking ${redactUrls(registry.remoteUrl.url)} for ${settings.branch}`);
      return await registry.remoteTip();
    });
    if (tip === undefined) {
      const { missingBranch } = await import("../git/branch.ts");
      throw missingBranch(registry);
    }
    return { id: tip, source: `git ${redactUrls(registry.remoteUrl.url)} ${settings.branch} ${subdir}` };
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

  /** Loads the code only for a new revision: an unchanged pull starts faster without it. */
  async #openCommits(): Promise<GitCommits> {
    const clone = this.#clone;
    if (clone === undefined) throw new TypeError("inspect(), stage() or accept() before resolve()");
    return await (this.#commits ??= import("./git_commits.ts").then(({ GitCommits }) =>
      new GitCommits(this.#context, this.#options, this.#store, clone)
    ));
  }
}
