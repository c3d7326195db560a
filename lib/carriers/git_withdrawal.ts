import { join, posix } from "node:path";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { FailedError, RefusedError } from "../core/errors.ts";
import type { LockOwner } from "../core/lock.ts";
import { withScratchObjects } from "../git/blobs.ts";
import type { SyncedBranch } from "../git/branch.ts";
import { commitRestored } from "../git/commit_restored.ts";
import type { Git } from "../git/git.ts";
import type { ObjectId } from "../git/object_id.ts";
import { listOtherWriters } from "../git/other_writer.ts";
import { Registry } from "../git/registry.ts";
import { type ReleaseHistory, searchHistory } from "../git/release_history.ts";
import { readModelTree } from "../git/tree.ts";
import { formatManifest } from "../release/format_manifest.ts";
import { createManifest, type Digest, type Manifest, type Withdrawal } from "../release/manifest.ts";
import type { WithdrawalChange } from "../release/withdrawals.ts";
import { expiryOf } from "../signing/seal.ts";
import { type EarlierRelease, fetchClaim, findEarlierRelease } from "./git_earlier_release.ts";
import { nextSequence } from "./git_manifest.ts";
import { refuseForeignManifest } from "./git_publish_guards.ts";
import type { GitPublisherOptions } from "./git_publisher.ts";
import { pushCommit } from "./push_commit.ts";
import { followRemote, takeOverClone } from "./take_over_clone.ts";
import {
  commitSubject,
  type NamedRelease,
  type NewestManifest,
  nothingRestored,
  planList,
  type PlannedList,
  readNewestManifest,
  refuseUnsigned,
  requireManifest,
  type WithdrawalResult,
  type WithdrawalTarget,
} from "./withdrawal_target.ts";

export interface GitWithdrawalOptions
  extends Pick<GitPublisherOptions, "registry" | "subdir" | "allowDirtyWorktree" | "seal"> {
  /** `unlocked` for a dry run, which changes nothing in the clone. */
  readonly owner: LockOwner | "unlocked";
}

/** How often a push is repeated when another publisher pushed first, as for a publish. */
const PUSH_ATTEMPTS_MAX = 5;

/** The newest commit of the branch. */
interface Base {
  readonly branch: SyncedBranch;
  readonly head: ObjectId;
  readonly newest: NewestManifest;
}

/** The list of withdrawals of a git registry. */
export class GitWithdrawal implements WithdrawalTarget {
  readonly #context: Context;
  readonly #options: GitWithdrawalOptions;
  readonly #registry: Registry;
  readonly #resources: DisposableStack;
  readonly #scratch: string;
  /** Reads the clone, and in a dry run the objects that were fetched for it. */
  readonly #git: Git;
  #base: Base;

  private constructor(
    context: Context,
    options: GitWithdrawalOptions,
    opened: { registry: Registry; git: Git; scratch: string; resources: DisposableStack; base: Base },
  ) {
    this.#context = context;
    this.#options = options;
    this.#registry = opened.registry;
    this.#git = opened.git;
    this.#scratch = opened.scratch;
    this.#resources = opened.resources;
    this.#base = opened.base;
  }

  /**
   * Opens the registry and updates the clone from the remote.
   *
   * @param scratch an existing folder for temporary objects
   * @throws {UsageError} codes `WORKTREE_DIRTY`, `NOTHING_PUBLISHED`
   */
  static async open(
    context: Context,
    options: GitWithdrawalOptions,
    scratch: string,
  ): Promise<GitWithdrawal> {
    using resources = new DisposableStack();
    const { owner } = options;
    let registry = await Registry.open(
      context,
      options.registry,
      owner === "unlocked"
        ? { owner, clone: "blobless", scratch, isPublish: true }
        : { owner, clone: "whole", isPublish: true },
    );
    const follow = async () => {
      if (owner !== "unlocked") return await takeOverClone(context, registry, options);
      const tip = await registry.remoteTip();
      if (tip !== undefined) {
        await registry.peekCommit(withScratchObjects(registry, context.fs, scratch), tip);
      }
      return { head: tip, unpushed: false, tip };
    };
    let branch: SyncedBranch;
    try {
      branch = await follow().catch(async (error: unknown) => {
        registry = await registry.replaceAfter(error);
        return await follow();
      });
    } catch (error) {
      registry[Symbol.dispose]();
      throw error;
    }
    resources.use(registry);
    const git = owner === "unlocked" ? withScratchObjects(registry, context.fs, scratch) : registry.git;
    const base = await readBase(context, options, registry, git, branch);
    return new GitWithdrawal(context, options, { registry, git, scratch, base, resources: resources.move() });
  }

  [Symbol.dispose](): void {
    this.#resources[Symbol.dispose]();
  }

  get withdrawals() {
    return this.#base.newest.withdrawals;
  }

  get newest(): NamedRelease {
    return this.#base.newest.manifest;
  }

  async find(isWanted: (release: NamedRelease) => boolean): Promise<Digest | undefined> {
    return await this.#search(({ commits }) =>
      commits.find(({ release, sequence }) => isWanted({ digest: release, sequence }))?.release
    );
  }

  async preview(change: WithdrawalChange, known: readonly Withdrawal[]): Promise<WithdrawalResult> {
    const plan = this.#plan(change, known);
    if (!plan.isChanged) return this.#unchanged();
    const restored = await this.#findRestored(plan);
    return this.#result(await this.#makeManifest(plan, restored), restored, undefined);
  }

  /** Publishes the change; again on top of the new commit if another publisher pushed first. */
  async publish(change: WithdrawalChange, known: readonly Withdrawal[]): Promise<WithdrawalResult> {
    for (let attempt = 1; attempt <= PUSH_ATTEMPTS_MAX; attempt++) {
      const plan = this.#plan(change, known);
      if (!plan.isChanged && !this.#base.branch.unpushed) return this.#unchanged();
      const published = plan.isChanged ? await this.#commit(change, plan) : this.#unpushed();
      const { tip, unpushed } = this.#base.branch;
      const refusal = await pushCommit(this.#context, this.#registry, this.#options, {
        commit: published.commit,
        tip,
        // A restored release was pushed before; a commit of a killed run may have new files.
        contents: unpushed ? "new" : "pushed",
        // Git may send the models of a restored release again.
        modelBytes: unpushed || published.replaced !== undefined ? undefined : 0,
      });
      if (refusal === undefined) return published;
      const branch = await followRemote(this.#context, this.#registry, this.#options);
      const isUndone = unpushed && !branch.unpushed;
      if (branch.tip === tip && !isUndone) throw refusal;
      this.#context.log.warn(
        branch.tip === tip
          ? `the commit of an earlier run is undone, because its files in Git LFS are lost: ${refusal.message}`
          : `another publisher pushed to ${this.#target} meanwhile; trying again on top of it`,
      );
      this.#base = await readBase(this.#context, this.#options, this.#registry, this.#git, branch);
    }
    throw new FailedError(
      `Cannot push to ${this.#target}: other publishers pushed first, ${PUSH_ATTEMPTS_MAX} times in a row`,
      { code: "PUSH_LOST", hint: "run again, and check which other machines publish there" },
    );
  }

  #plan(change: WithdrawalChange, known: readonly Withdrawal[]): PlannedList {
    return planList(this.#base.newest, known, change, this.#context.clock.now());
  }

  get #target(): string {
    return this.#registry.remoteBranch;
  }

  async #commit(
    change: WithdrawalChange,
    plan: PlannedList,
  ): Promise<WithdrawalResult & { readonly commit: ObjectId }> {
    const { subdir, seal, allowDirtyWorktree } = this.#options;
    const { head, newest } = this.#base;
    refuseForeignManifest(subdir, newest.manifest);
    const restored = await this.#findRestored(plan);
    refuseUnsigned(newest, seal, restored !== undefined, this.#target);
    if (restored === undefined) await this.#refuseOtherWriter();
    const manifest = await this.#makeManifest(plan, restored);
    const text = formatManifest(manifest);
    const commit = await commitRestored(this.#context, this.#registry, {
      subdir,
      head,
      models: restored,
      release: manifest.digest,
      sequence: manifest.sequence,
      text,
      signature: await seal?.signer?.sign(manifest, text, posix.basename(subdir)),
      message: `${commitSubject(change)}${change.reason === undefined ? "" : `\n\n${change.reason}`}`,
      host: this.#context.host,
      allowDirtyWorktree,
    });
    this.#context.log.info(`committed ${commit.slice(0, 12)} as sequence ${manifest.sequence}`);
    return { ...this.#result(manifest, restored, commit), commit };
  }

  /** A commit of a killed run: the push is missing. */
  #unpushed(): WithdrawalResult & { readonly commit: ObjectId } {
    const { head } = this.#base;
    return { ...this.#unchanged(), outcome: "published", commit: head };
  }

  #unchanged(): WithdrawalResult {
    const { head, newest: { manifest } } = this.#base;
    return { ...this.#result(manifest, undefined, head), outcome: "unchanged", signer: undefined };
  }

  #result(
    manifest: Manifest,
    restored: EarlierRelease | undefined,
    commit: ObjectId | undefined,
  ): WithdrawalResult {
    return {
      carrier: "git",
      target: this.#target,
      outcome: "published",
      release: manifest.digest,
      sequence: manifest.sequence,
      replaced: restored === undefined ? undefined : this.#base.newest.manifest.digest,
      files: manifest.files.length,
      commit,
      signer: this.#options.seal?.signer?.keyHint,
    };
  }

  /** Returns the manifest with the new list: of the restored release, else of the newest one, whose age stays. */
  async #makeManifest({ withdrawals }: PlannedList, restored: EarlierRelease | undefined): Promise<Manifest> {
    const { manifest } = this.#base.newest;
    const now = this.#context.clock.now();
    return await createManifest(restored?.manifest.files ?? manifest.files, {
      sequence: nextSequence(manifest, 0, this.#target),
      createdAt: restored === undefined ? manifest.createdAt : isoSeconds(now),
      ...expiryOf(this.#options.seal, now),
      origin: { carrier: "git", host: this.#context.host, folder: posix.basename(this.#options.subdir) },
      withdrawals,
    });
  }

  /** Returns the newest earlier release that is not withdrawn, if the newest release is. */
  async #findRestored(plan: PlannedList): Promise<EarlierRelease | undefined> {
    if (!plan.replacesNewest) return undefined;
    const { subdir, seal } = this.#options;
    const foreign = new Set<Digest>();
    const onForeign = (release: Digest) => foreign.add(release);
    const place = { registry: this.#registry, git: this.#git, subdir, seal, onForeign };
    const found = await this.#search((history) =>
      findEarlierRelease(this.#context, place, history, plan.withdrawals)
    );
    if (found === undefined) this.#context.log.warn(nothingRestored(this.#target, foreign.size, "publish"));
    return found;
  }

  async #search<Found>(
    find: (history: ReleaseHistory) => Promise<Found | undefined> | Found | undefined,
  ): Promise<Found | undefined> {
    const place = {
      registry: this.#registry,
      git: this.#git,
      scratch: join(this.#scratch, "history"),
      subdir: this.#options.subdir,
      tip: this.#base.head,
    };
    return await searchHistory(this.#context, place, find);
  }

  /**
   * Refuses to publish a manifest over another program's change of the models: it would seem to describe that change.
   *
   * @throws {RefusedError} code `OTHER_WRITER`
   */
  async #refuseOtherWriter(): Promise<void> {
    const [other] = await listOtherWriters(this.#registry.git, this.#base.head, this.#options.subdir);
    if (other === undefined) return;
    throw new RefusedError(
      `Cannot change the withdrawals of ${this.#target}: commit ${
        other.commit.slice(0, 12)
      } ("${other.subject}", by ${other.author}) changed the models without their manifest`,
      { code: "OTHER_WRITER", hint: "publish first, and withdraw then" },
    );
  }
}

/** @throws {UsageError} code `NOTHING_PUBLISHED` */
async function readBase(
  context: Context,
  { subdir, seal }: GitWithdrawalOptions,
  registry: Registry,
  git: Git,
  branch: SyncedBranch,
): Promise<Base> {
  const head = requireManifest(branch.head, registry.remoteBranch);
  const tree = await readModelTree(git, head, subdir);
  const claim = requireManifest(
    await fetchClaim({ registry, git, subdir }, tree, head),
    registry.remoteBranch,
  );
  return { branch, head, newest: await readNewestManifest(claim, seal, context.clock.now()) };
}
