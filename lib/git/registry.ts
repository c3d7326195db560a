import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { findEntry } from "../core/files.ts";
import { type RetryPolicy, withRetry } from "../core/retry.ts";
import { redactUrls } from "../core/secret.ts";
import { Working } from "../core/working.ts";
import {
  CloneDamagedError,
  damageBehind,
  findBranchDamage,
  findBrokenHistory,
  findDamage,
  findIndexDamage,
  ofRemote,
} from "./clone_damage.ts";
import type { CloneFacts } from "./clone_facts.ts";
import { repackNowAndThen, sweepTemporaryObjects } from "./clone_upkeep.ts";
import { findCommit, type Relation, relationOf } from "./commits.ts";
import type { CallOptions, Git, GitExit } from "./git.ts";
import { findMissing, findMissingAmong } from "./find_missing.ts";
import { BLOBLESS, bloblessFetch } from "./git_options.ts";
import { findFormatMismatch, ObjectFormatError } from "./object_format.ts";
import { objectFormatOf, type ObjectId } from "./object_id.ts";
import { openRegistryParts, type RegistryParts, type RegistryUse } from "./open_registry.ts";
import { listBranch } from "./list_branch.ts";
import type { RegistrySettings } from "./registry_settings.ts";
import type { SignInAtOnce } from "./remote_access.ts";
import type { RemoteUrl } from "./remote_url.ts";
import { syncGitFolder } from "./sync_clone.ts";
import { parseStatus, type WorktreeStatus } from "./worktree_status.ts";

/** For more blobs, a walk over the commit is faster than a search for each that is missing. */
const BLOB_CHECKS_MAX = 1000;

/**
 * The pauses while a git server is down or limits requests. Other runs of the store wait meanwhile: a longer pause is left to
 * the next run, which the daemon plans after it.
 */
export const REGISTRY_RETRIES: RetryPolicy = {
  attemptsMax: 4,
  firstDelayMs: 1_000,
  delayMsMax: 30_000,
  retryAfterMsMax: 60_000,
};

/** The git repository with the models: a clone on this machine and its remote. Locked while it is open. */
export class Registry implements Disposable {
  readonly git: Git;
  /** As {@link git}, but the clone's hooks run. */
  readonly hookGit: Git;
  readonly gitDir: string;
  /** Its folder of objects: elsewhere for a linked worktree. */
  readonly objectsDir: string;
  /** Created by this program. */
  readonly isOwn: boolean;
  readonly remoteUrl: RemoteUrl;
  readonly settings: RegistrySettings;
  /** Why a run that changes nothing uses a temporary clone instead of the clone of our own. */
  readonly setAside: string | undefined;
  readonly #facts: CloneFacts;
  readonly #use: RegistryUse;
  readonly #context: Context;
  readonly #lock: Disposable;
  readonly #signInAtOnce: SignInAtOnce | undefined;
  /** Whether its commits were checked and are complete. */
  #isChecked = false;
  /** Whether the remote took the credentials with the first request. */
  #isSignedIn = false;

  private constructor(context: Context, use: RegistryUse, parts: RegistryParts) {
    this.git = parts.git;
    this.hookGit = parts.hookGit;
    this.gitDir = parts.facts.gitDir;
    this.objectsDir = parts.facts.objectsDir;
    this.isOwn = parts.facts.isOwn;
    this.remoteUrl = parts.remoteUrl;
    this.#signInAtOnce = parts.signInAtOnce;
    this.settings = parts.settings;
    this.setAside = parts.setAside;
    this.#facts = parts.facts;
    this.#use = use;
    this.#context = context;
    this.#lock = parts.lock;
  }

  /**
   * Opens the clone, and creates an empty one from `repoUrl` if there is none. Nothing is fetched yet.
   *
   * @throws {UsageError} no clone, not a repository, bare but a worktree is needed, no such remote
   * @throws {CloneDamagedError} a clone of the user's is damaged
   * @throws {LockedError} another run works in it
   */
  static async open(context: Context, settings: RegistrySettings, use: RegistryUse): Promise<Registry> {
    return new Registry(context, use, await openRegistryParts(context, settings, use));
  }

  /**
   * Called after an error: recreates a clone of our own if its damage explains the error, and returns it opened.
   * Otherwise the error is thrown again. A clone is recreated at most once in a run.
   *
   * @throws {CloneDamagedError} a clone of the user's is damaged
   */
  async replaceAfter(error: unknown): Promise<Registry> {
    if (this.#context.signal.aborted) throw error;
    if (error instanceof ObjectFormatError) {
      if (!this.isOwn || this.#use.format !== undefined) throw error;
      this[Symbol.dispose]();
      return await Registry.open(this.#context, this.settings, { ...this.#use, format: error.wanted });
    }
    const damage = await damageBehind(error, this.#checked);
    if (damage === undefined) throw error;
    if (!this.isOwn) throw new CloneDamagedError(this.git.repoDir, damage, error);
    if (this.#use.damage !== undefined) throw error;
    this[Symbol.dispose]();
    const { format } = this.#facts;
    return await Registry.open(this.#context, this.settings, { ...this.#use, damage, format });
  }

  /**
   * Syncs what git wrote into the git folder since the clone was opened. Packs a clone of our own when it needs that.
   */
  async sync(): Promise<void> {
    await this.repack();
    using _working = new Working(this.#context, "writing the clone to the disk");
    await syncGitFolder(this.#context, this);
  }

  /** Packs a clone of our own when it needs that. @returns whether it did */
  async repack(): Promise<boolean> {
    return this.isOwn && await repackNowAndThen(this.#context, {
      git: this.git,
      objectsDir: this.objectsDir,
      remote: this.settings.remote,
      isBlobless: this.#facts.kind === "blobless",
    });
  }

  /** Whether any configuration sets a key, in lower case: the clone's, the user's or the system's. */
  isConfigured(key: string): boolean {
    return this.#facts.configuredKeys.has(key);
  }

  /** Returns the damage of the clone; `undefined` if there is none. */
  async findDamage(): Promise<string | undefined> {
    return await findDamage(this.#checked);
  }

  /** Requires a complete history before a fetch: see {@link findBrokenHistory}. */
  async requireHistory(): Promise<void> {
    if (this.#isChecked || !(this.#facts.isLazy || this.#facts.kind === "blobless")) return;
    const damage = await findBrokenHistory(this.git, this.#facts.isLazy);
    if (damage !== undefined) throw new CloneDamagedError(this.git.repoDir, damage);
    this.#isChecked = true;
  }

  get #checked() {
    return { git: this.git, isLazy: this.#facts.isLazy, hasWorktree: this.hasWorktree };
  }

  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }

  /** Returns the error for a failed call to the remote: as {@link Git.error}, or an {@link ObjectFormatError}. */
  remoteError(action: string, exit: GitExit): Error {
    return findFormatMismatch(exit.stderr, this.git.repoDir, this.#facts.format) ??
      this.git.error(action, exit);
  }

  /** The remote's branch: `origin/main`. */
  get remoteBranch(): string {
    return `${this.settings.remote}/${this.settings.branch}`;
  }

  /** Whether this clone has a worktree: it is not bare, and was checked out at least once. */
  get hasWorktree(): boolean {
    return !this.#facts.isBare && findEntry(this.#context.fs, join(this.gitDir, "index")) !== undefined;
  }

  /**
   * Returns the newest commit of the remote's branch, with one request over HTTP; `undefined` if the remote does not
   * have the branch.
   */
  async remoteTip(): Promise<ObjectId | undefined> {
    return await this.#patiently(() => this.#queryTip());
  }

  async #queryTip(): Promise<ObjectId | undefined> {
    const { remote, branch } = this.settings;
    const url = redactUrls(this.remoteUrl.url);
    const { exit, tip, isSignedIn } = await listBranch(this.#context.fs, {
      git: this.git,
      gitDir: this.gitDir,
      remote,
      branch,
      isHttp: this.#isHttp,
      signInAtOnce: this.#signInAtOnce,
      mayWrite: this.#use.owner !== "unlocked",
      call: { action: `query the branch ${branch} of ${url}`, remote: true, isTraced: this.#isHttp },
    });
    if (exit.code !== 0) throw this.remoteError(`reach ${url}`, exit);
    this.#isSignedIn = isSignedIn;
    if (tip !== undefined && objectFormatOf(tip) !== this.#facts.format) {
      throw new ObjectFormatError(this.git.repoDir, objectFormatOf(tip));
    }
    return tip;
  }

  get #isHttp(): boolean {
    return this.remoteUrl.origin !== undefined;
  }

  /** Repeats work while the server is down or limits requests. A check with a time limit for its answer makes one attempt. */
  async #patiently<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.settings.answerTimeoutMs !== undefined) return await work();
    return await withRetry(this.#context, REGISTRY_RETRIES, work);
  }

  /**
   * Fetches a commit of the remote branch and records it as the branch's newest. The first fetch of a clone of our own
   * is of one commit, and a blobless clone fetches no files, so the cost does not grow with the history.
   *
   * @param ours the newest commit of the clone's branch, if known
   */
  async fetchCommit(commit: ObjectId, ours?: ObjectId): Promise<void> {
    this.sweep();
    const depth = this.isOwn && ours === undefined && await this.#isEmpty() ? ["--depth=1"] : [];
    await this.#fetch(this.git, depth, [`+${commit}:refs/remotes/${this.remoteBranch}`]);
  }

  /**
   * Whether the clone has no commit of the branch. A second shallow commit would have no history in common with the
   * first.
   */
  async #isEmpty(): Promise<boolean> {
    for (const name of [`refs/remotes/${this.remoteBranch}`, `refs/heads/${this.settings.branch}`]) {
      if (await this.findCommit(name) !== undefined) return false;
    }
    return true;
  }

  /** Removes files that killed git processes left in a clone of our own. Called before objects are added. */
  sweep(): void {
    if (this.isOwn) sweepTemporaryObjects(this.#context, this.objectsDir);
  }

  /** As {@link fetchCommit}, but into a temporary folder, without changing the clone; for dry runs. */
  async peekCommit(scratch: Git, commit: ObjectId): Promise<void> {
    const first = await this.findCommit("HEAD") === undefined;
    await this.#fetch(scratch, [...(first ? ["--depth=1"] : []), "--refmap="], [commit]);
  }

  /** Fetches objects by name, which the server has to allow (git's protocol 2 does). */
  async fetchObjects(git: Git, ids: readonly ObjectId[]): Promise<void> {
    const scratch = git.with({ config: ["fetch.negotiationAlgorithm=noop"] });
    await this.#fetch(scratch, ["--stdin"], [], { stdin: ids.join("\n") + "\n" });
  }

  /**
   * Fetches all files of a folder of a commit by the folder's name: the server need not look up each file, which takes as
   * long as sending a small one. Only for a clone that {@link hasNoFiles}.
   */
  async fetchFolder(git: Git, commit: ObjectId, folder: string): Promise<void> {
    const tree = await git.text(["rev-parse", "--verify", "--end-of-options", `${commit}:${folder}`], {
      action: `find ${folder} in ${commit.slice(0, 12)}`,
    });
    const scratch = git.with({ config: ["fetch.negotiationAlgorithm=noop"] });
    // In a partial fetch, git would believe that it has the files of a folder that it knows.
    await this.#fetch(scratch, ["--no-filter"], [tree], {}, "whole");
  }

  /** Whether this clone never holds files: they are fetched into a scratch folder. */
  get hasNoFiles(): boolean {
    return this.isOwn && this.#facts.kind === "blobless";
  }

  /** Returns the names of the commit's blobs that are missing here: of many in a clone without files, all of them. */
  async findMissing(git: Git, commit: ObjectId, ids: readonly ObjectId[]): Promise<readonly ObjectId[]> {
    const isMany = ids.length > BLOB_CHECKS_MAX;
    if (isMany && this.hasNoFiles) return ids;
    // Only a walk fetches nothing by itself, whatever the version of git.
    return isMany || this.#facts.isLazy
      ? await findMissing(git, commit, ids)
      : await findMissingAmong(git, ids);
  }

  async #fetch(
    git: Git,
    options: readonly string[],
    refspecs: readonly string[],
    streams: Pick<CallOptions, "stdin"> = {},
    kind: "as the clone" | "whole" = "as the clone",
  ): Promise<void> {
    const { remote, branch } = this.settings;
    await this.requireHistory();
    // A filter would make a user's whole clone a partial one.
    const isPartial = kind !== "whole" && (this.#facts.kind === "blobless" || this.#facts.isLazy);
    const filter = isPartial ? [BLOBLESS] : [];
    const signedIn = this.#isSignedIn && this.#signInAtOnce !== undefined
      ? git.with(this.#signInAtOnce)
      : git;
    const fetching = isPartial ? signedIn.with(bloblessFetch(remote)) : signedIn;
    try {
      await this.#patiently(() =>
        fetching.bytes(
          [
            "fetch",
            "--progress",
            "--no-tags",
            "--no-write-fetch-head",
            ...filter,
            ...options,
            remote,
            ...refspecs,
          ],
          {
            action: `fetch ${branch} from ${redactUrls(this.remoteUrl.url)}`,
            transfer: true,
            isTraced: this.#isHttp,
            ...streams,
          },
        )
      );
    } catch (error) {
      // The damage may be on the remote: the clone is checked separately.
      throw ofRemote(error, this);
    }
  }

  /** As {@link findCommit}, in this clone. */
  async findCommit(name: string): Promise<ObjectId | undefined> {
    return await findCommit(this.git, name, this.#facts.isLazy);
  }

  /** As {@link relationOf}, in this clone. */
  async relation(git: Git, ours: ObjectId, theirs: ObjectId): Promise<Relation> {
    return await relationOf(git, ours, theirs, this.#facts.isLazy);
  }

  /** Returns the status of the worktree. Untracked files count as dirty, as in `git status`. */
  async status(): Promise<WorktreeStatus> {
    this.#refuse(await findIndexDamage(this.#context.fs, this.gitDir));
    const output = await this.git.bytes(
      ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal"],
      { action: `read the worktree of ${this.git.repoDir}` },
    );
    // A clone of our own needs no files: an earlier version may have checked out some of them.
    const status = parseStatus(new TextDecoder().decode(output), !this.isOwn);
    // If a branch's reference is damaged, git shows the branch as one without commits, and every file as new.
    if (status.branch === "(unknown)") this.#refuse("the branch that is checked out cannot be read");
    // A user's clone may be on a new branch. In a clone of our own, only this program checks out branches.
    if (this.isOwn) this.#refuse(findBranchDamage(status));
    return status;
  }

  #refuse(damage: string | undefined): void {
    if (damage !== undefined) throw new CloneDamagedError(this.git.repoDir, damage);
  }
}
