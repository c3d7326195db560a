import { posix } from "node:path";
import { isoSeconds } from "../core/clock.ts";
import { settleAll } from "../core/concurrency.ts";
import type { Context } from "../core/context.ts";
import { FailedError } from "../core/errors.ts";
import { VERSION } from "../core/version.ts";
import type { LockOwner } from "../core/lock.ts";
import type { LfsSetting } from "../config/choices.ts";
import type { SyncedBranch } from "../git/branch.ts";
import { commitModels, type CommittedModels } from "../git/commit_models.ts";
import { type CommitWords, listOtherWriters, logOtherWriters } from "../git/other_writer.ts";
import type { ObjectId } from "../git/object_id.ts";
import { Registry } from "../git/registry.ts";
import type { RegistrySettings } from "../git/registry_settings.ts";
import { listTree } from "../git/tree.ts";
import { changedBytes, compareFiles, countChanges, refuseShrink } from "../release/changes.ts";
import type { Digest } from "../release/manifest.ts";
import type { ModelSet } from "../release/model_set.ts";
import { isSameList, refuseWithdrawnModels } from "../release/withdrawals.ts";
import { expiryOf, isSealDue, ownWithdrawals, type Seal, type Sealed } from "../signing/seal.ts";
import { nextSequence } from "./git_manifest.ts";
import { findObject, type PublishBase, publishTarget, readPublishBase } from "./git_publish_base.ts";
import type { Publication, Publisher } from "./carrier.ts";
import { changesOf, deltaOf } from "./git_publish_delta.ts";
import { pushCommit } from "./push_commit.ts";
import { followRemote, takeOverClone } from "./take_over_clone.ts";
import { findPublished, rememberPublished } from "../store/published.ts";
import { chooseLfsPaths, refuseForeignManifest } from "./git_publish_guards.ts";
import type { Store } from "../store/store.ts";
import { carryWithdrawals } from "../store/withdrawals.ts";

export interface GitPublisherOptions {
  readonly registry: RegistrySettings;
  readonly subdir: string;
  readonly lfs: LfsSetting;
  readonly allowDirtyWorktree: boolean;
  /** Whether more than half of the published files may disappear. */
  readonly allowShrink: boolean;
  /** Default: `chore(models): sync <time>`. */
  readonly commitMessage: string | undefined;
  /** Signs the release and sets its expiry. Without it, the release is unsigned and does not expire. */
  readonly seal?: Seal | undefined;
  readonly owner: LockOwner;
}

/** The result of a publish to git. */
export interface GitPublication extends Publication {
  readonly committed: boolean;
  readonly pushed: boolean;
  readonly branch: string;
  readonly remote: string;
  readonly commit: ObjectId | undefined;
  /** The number of {@link changed} files that were removed. */
  readonly removed: number;
  /** Commits of other programs that the publish replaced, newest first. */
  readonly otherWriters: readonly CommitWords[];
}

/** A set that is committed, or was before. */
interface CommittedSet {
  readonly publication: GitPublication;
  /** Whether the commit names content in Git LFS that its parent does not name. */
  readonly hasNewLfs: boolean;
  /** Git's names for the model folder and the manifest in a new commit, if they are known. */
  readonly names: CommitNames;
}

type CommitNames = Partial<Pick<CommittedModels, "models" | "manifest">>;

/** How often a publish is repeated when another publisher pushed first. More often is no coincidence. */
const PUSH_ATTEMPTS_MAX = 5;

/** Publishes to a git repository: commits and pushes the changes; does nothing if nothing changed. */
export class GitPublisher implements Publisher<GitPublication> {
  readonly carrier = "git";
  readonly #context: Context;
  readonly #store: Store;
  readonly #options: GitPublisherOptions;
  #registry: Registry;
  /** The branch, as of the last request to the remote. */
  #branch: SyncedBranch;
  /** What {@link prepare} read of a commit. */
  #prepared: { readonly head: ObjectId | undefined; readonly base: PublishBase } | undefined;

  private constructor(
    context: Context,
    store: Store,
    options: GitPublisherOptions,
    registry: Registry,
    branch: SyncedBranch,
  ) {
    this.#context = context;
    this.#store = store;
    this.#options = options;
    this.#registry = registry;
    this.#branch = branch;
  }

  /**
   * Opens the registry, undoes what a killed publish left there, and updates the branch from the remote.
   *
   * @throws {UsageError} code `WORKTREE_DIRTY`
   */
  static async open(context: Context, store: Store, options: GitPublisherOptions): Promise<GitPublisher> {
    const use = { owner: options.owner, clone: "whole", isPublish: true } as const;
    let registry = await Registry.open(context, options.registry, use);
    try {
      const branch = await takeOverClone(context, registry, options).catch(async (error: unknown) => {
        registry = await registry.replaceAfter(error);
        return await takeOverClone(context, registry, options);
      });
      return new GitPublisher(context, store, options, registry, branch);
    } catch (error) {
      registry[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#registry[Symbol.dispose]();
  }

  /** Publishes a model set. If a damaged clone of our own was replaced, starts over. */
  async publish(set: ModelSet, onSend?: () => void): Promise<GitPublication> {
    try {
      return await this.#publish(set, onSend);
    } catch (error) {
      this.#registry = await this.#registry.replaceAfter(error);
      this.#branch = await takeOverClone(this.#context, this.#registry, this.#options);
      return await this.#publish(set, onSend);
    }
  }

  async prepare(): Promise<void> {
    const { head } = this.#branch;
    const base = await this.#readBase(head).catch(() => undefined);
    this.#prepared = base && { head, base };
  }

  async #publish(set: ModelSet, onSend: (() => void) | undefined): Promise<GitPublication> {
    let refusal: Error | undefined;
    let hasMoved = false;
    for (let attempt = 1; attempt <= PUSH_ATTEMPTS_MAX; attempt++) {
      const { unpushed } = this.#branch;
      const known = this.findPublished(set.digest);
      const { publication, hasNewLfs, names } = known === undefined
        ? await this.#commit(set, this.#branch)
        : { publication: known, hasNewLfs: false, names: {} };
      if (!publication.committed && !unpushed) return publication;
      const { commit } = publication;
      if (commit === undefined) throw new TypeError("nothing to push, and something that was not pushed");
      const { tip } = this.#branch;
      refusal = await pushCommit(this.#context, this.#registry, this.#options, {
        commit,
        tip,
        contents: unpushed || hasNewLfs ? "new" : "none",
        modelBytes: unpushed ? undefined : publication.sentBytes,
        onSend,
      });
      if (refusal === undefined) {
        await this.#remember(set, publication.sequence, commit, names);
        return { ...publication, outcome: "published", pushed: true };
      }
      this.#branch = await followRemote(this.#context, this.#registry, this.#options);
      const isOthers = this.#branch.tip !== tip;
      hasMoved ||= isOthers;
      const { remoteBranch } = this.#registry;
      this.#context.log.warn(
        isOthers
          ? `another publisher pushed to ${remoteBranch} meanwhile; trying again on top of it`
          : `${refusal.message}; trying again`,
      );
    }
    // No other publisher pushed: the reason is the remote's message.
    if (!hasMoved) throw refusal;
    throw new FailedError(
      `Cannot push to ${this.#registry.remoteBranch}: other publishers pushed first, ${PUSH_ATTEMPTS_MAX} times in a row`,
      {
        code: "PUSH_LOST",
        hint: "the commit is kept, and the next publish pushes it; check which other machines publish there",
      },
    );
  }

  /** Returns the last publish of this machine, if neither the branch here nor the remote has moved since. */
  findPublished(release: Digest): GitPublication | undefined {
    const published = findPublished(this.#store, this.#target);
    const { head, unpushed } = this.#branch;
    if (published?.digest !== release || published.head !== head || unpushed) return undefined;
    if (published.checked !== true) return undefined;
    if (published.lfs !== this.#options.lfs || this.#isSealDue(published)) return undefined;
    return this.#unchanged(this.#branch, published.sequence, published.signedBy);
  }

  #isSealDue(sealed: Sealed): boolean {
    return isSealDue(this.#options.seal, sealed, this.#context.clock.now());
  }

  #unchanged(branch: SyncedBranch, sequence: number | undefined, signer: string | undefined): GitPublication {
    const { registry: settings } = this.#options;
    return {
      outcome: "unchanged",
      committed: false,
      pushed: false,
      branch: settings.branch,
      remote: settings.remote,
      commit: branch.head,
      otherWriters: [],
      sequence: sequence ?? 0,
      changed: 0,
      removed: 0,
      sentBytes: 0,
      previous: undefined,
      signer,
    };
  }

  async #commit(set: ModelSet, branch: SyncedBranch): Promise<CommittedSet> {
    const prepared = this.#prepared?.head === branch.head ? this.#prepared?.base : undefined;
    this.#prepared = undefined;
    const base = prepared ?? await this.#readBase(branch.head);
    const { manifest, known } = base;
    const { subdir, lfs, commitMessage, allowDirtyWorktree, seal } = this.#options;
    const withdrawals = carryWithdrawals(this.#store, ownWithdrawals(seal, base.sealed, manifest));
    refuseWithdrawnModels(withdrawals, set.digest, set.dir);
    const unchanged = {
      publication: this.#unchanged(branch, manifest?.sequence, base.sealed.signedBy),
      hasNewLfs: false,
      names: {},
    };
    const isDue = this.#isSealDue(base.sealed) || !isSameList(withdrawals, manifest?.withdrawals ?? []);
    if (manifest?.digest === set.digest && known?.lfs === lfs && !isDue) {
      await this.#remember(set, manifest.sequence, branch.head);
      return unchanged;
    }
    refuseForeignManifest(subdir, manifest);
    const lfsPaths = await chooseLfsPaths(this.#context, this.#registry, set, lfs);
    const delta = deltaOf(set, base, lfsPaths);
    if (!this.#options.allowShrink && delta?.removed.length !== 0) {
      const before = manifest?.files.map((file) => file.path) ?? await this.#listModels(branch.head);
      refuseShrink(set, before, "publish");
    }
    const now = this.#context.clock.now();
    const createdAt = isoSeconds(now);
    const remembered = findPublished(this.#store, this.#target)?.sequence ?? 0;
    const sequence = nextSequence(manifest, remembered, this.#registry.remoteBranch);
    const committing = commitModels(this.#context, this.#registry, {
      subdir,
      set,
      lfsPaths,
      head: branch.head,
      attributes: base.attributes,
      base: known === undefined ? undefined : manifest,
      delta,
      isManifestStale: base.isDamaged || isDue ||
        (manifest !== undefined && manifest.digest !== set.digest),
      signer: seal?.signer,
      details: {
        sequence,
        createdAt,
        ...expiryOf(seal, now),
        origin: { carrier: "git", host: this.#context.host, folder: posix.basename(subdir) },
        withdrawals,
      },
      message: commitMessage?.trim() || `chore(models): sync ${createdAt}`,
      allowDirtyWorktree,
    });
    const [committed, otherWriters] = await settleAll([
      committing,
      this.#findOtherWriters(branch.head, base),
    ]);
    if (committed === undefined) {
      // Another machine published the same files. Remember it, so that the next publish need not compare them.
      if (manifest?.digest === set.digest) await this.#remember(set, manifest.sequence, branch.head);
      return unchanged;
    }
    const { commit, hasNewLfs } = committed;
    logOtherWriters(this.#context, otherWriters);
    this.#context.log.info(`committed ${commit.slice(0, 12)} as sequence ${sequence}`);
    const changes = delta === undefined ? compareFiles(manifest?.files ?? [], set.files) : changesOf(set);
    const publication: GitPublication = {
      ...this.#unchanged(branch, manifest?.sequence, seal?.signer?.keyHint),
      outcome: "published",
      committed: true,
      commit,
      otherWriters,
      sequence,
      changed: countChanges(changes),
      removed: changes.removed.length,
      sentBytes: changedBytes(changes, delta?.changed ?? set.files),
      previous: manifest?.digest,
    };
    return { publication, hasNewLfs, names: committed };
  }

  /** Returns the commits of other programs since the last publish of model-sync. */
  async #findOtherWriters(head: ObjectId | undefined, base: PublishBase): Promise<CommitWords[]> {
    if (head === undefined) return [];
    // In a registry that model-sync never published to, all commits are of other programs.
    if (base.manifest === undefined && !base.isDamaged) return [];
    return await listOtherWriters(this.#registry.git, head, this.#options.subdir);
  }

  async #readBase(head: ObjectId | undefined): Promise<PublishBase> {
    const published = findPublished(this.#store, this.#target);
    return await readPublishBase(this.#context, this.#registry, head, this.#options, published);
  }

  /** Returns the files of the model folder in a commit, relative to that folder. */
  async #listModels(head: ObjectId | undefined): Promise<string[]> {
    if (head === undefined) return [];
    const entries = await listTree(this.#registry.git, head, [`${this.#options.subdir}/`]);
    return entries.map((entry) => entry.path.slice(this.#options.subdir.length + 1));
  }

  /**
   * Remembers that a commit holds the set.
   *
   * @param names git's names for what is in it, if they are known
   */
  async #remember(
    set: ModelSet,
    sequence: number,
    head: ObjectId | undefined,
    names: CommitNames = {},
  ): Promise<void> {
    const tree = names.models ??
      (head && await findObject(this.#registry.git, head, this.#options.subdir));
    if (head === undefined || tree === undefined) return;
    const before = findPublished(this.#store, this.#target);
    const manifest = names.manifest === undefined
      ? before?.head === head ? before.manifest : undefined
      : { ...names.manifest, version: VERSION };
    const { sealed } = this.#options.seal === undefined ? { sealed: {} } : await this.#readBase(head);
    rememberPublished(this.#store, {
      ...sealed,
      target: this.#target,
      head,
      tree,
      ...(manifest === undefined ? {} : { manifest }),
      checked: true,
      digest: set.digest,
      sequence,
      lfs: this.#options.lfs,
    });
  }

  get #target(): string {
    return publishTarget(this.#registry, this.#options.subdir);
  }
}
