import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { findEntry } from "../core/files.ts";
import { redactUrls } from "../core/secret.ts";
import type { ProcessExit } from "../core/subprocess.ts";
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
import type { CallOptions, Git } from "./git.ts";
import { BLOBLESS, bloblessFetch } from "./git_options.ts";
import { findFormatMismatch, ObjectFormatError } from "./object_format.ts";
import { objectFormatOf, type ObjectId } from "./object_id.ts";
import { openRegistryParts, type RegistryParts, type RegistryUse } from "./open_registry.ts";
import type { RegistrySettings } from "./registry_settings.ts";
import type { RemoteUrl } from "./remote_url.ts";
import { syncGitFolder } from "./sync_clone.ts";
import { parseStatus, type WorktreeStatus } from "./worktree_status.ts";

/** The git repository that holds the models: a clone on this machine and its remote. Locked while it is open. */
export class Registry implements Disposable {
  readonly git: Git;
  /** As {@link git}, in an environment that lets the clone's hooks run. */
  readonly hookGit: Git;
  readonly gitDir: string;
  /** Where its objects are: in another folder for a linked worktree. */
  readonly objectsDir: string;
  readonly isBare: boolean;
  /** Made by this program. */
  readonly isOwn: boolean;
  readonly remoteUrl: RemoteUrl;
  readonly settings: RegistrySettings;
  /** Why a run that changes nothing does not work in the clone of our own. */
  readonly setAside: string | undefined;
  readonly #facts: CloneFacts;
  readonly #use: RegistryUse;
  readonly #context: Context;
  readonly #lock: Disposable;
  /** Whether its commits were checked and are complete. */
  #isChecked = false;

  private constructor(context: Context, use: RegistryUse, parts: RegistryParts) {
    this.git = parts.git;
    this.hookGit = parts.hookGit;
    this.gitDir = parts.facts.gitDir;
    this.objectsDir = parts.facts.objectsDir;
    this.isBare = parts.facts.isBare;
    this.isOwn = parts.facts.isOwn;
    this.remoteUrl = parts.remoteUrl;
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
   * @throws {UsageError} no clone, not a repository, no such remote
   * @throws {CloneDamagedError} a clone of the user's is damaged
   * @throws {LockedError} another run works in it
   */
  static async open(context: Context, settings: RegistrySettings, use: RegistryUse): Promise<Registry> {
    return new Registry(context, use, await openRegistryParts(context, settings, use));
  }

  /**
   * After a call failed: replaces a clone of our own whose damage explains the failure, and returns it opened. Where
   * the clone is not to blame, the error is thrown again. A clone is replaced once in a run.
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
    return await Registry.open(this.#context, this.settings, { ...this.#use, damage });
  }

  /** Makes durable what git wrote into the git folder since the clone was opened; packs a clone of our own now and then. */
  async sync(): Promise<void> {
    if (this.isOwn) {
      await repackNowAndThen(this.#context, {
        git: this.git,
        objectsDir: this.objectsDir,
        remote: this.settings.remote,
        isBlobless: this.#facts.kind === "blobless",
      });
    }
    using _working = new Working(this.#context, "writing the clone to the disk");
    await syncGitFolder(this.#context, this);
  }

  /** Says what of the clone is damaged; `undefined` where nothing is. */
  async findDamage(): Promise<string | undefined> {
    return await findDamage(this.#checked);
  }

  /** Makes sure of the commits before git fetches by itself, or for us: see {@link findBrokenHistory}. */
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

  /** The error of a git that spoke to the remote and failed: as {@link Git.error}, or an {@link ObjectFormatError}. */
  remoteError(action: string, exit: ProcessExit): Error {
    return findFormatMismatch(exit.stderr, this.git.repoDir, this.#facts.format) ??
      this.git.error(action, exit);
  }

  /** The remote's branch as people write it: `origin/main`. */
  get remoteBranch(): string {
    return `${this.settings.remote}/${this.settings.branch}`;
  }

  /** Whether somebody works in this clone's files: not bare, and checked out at least once. */
  get hasWorktree(): boolean {
    return !this.isBare && findEntry(this.#context.fs, join(this.gitDir, "index")) !== undefined;
  }

  /** The commit that the remote's branch is at, by one round trip; `undefined` when the remote has no such branch. */
  async remoteTip(): Promise<ObjectId | undefined> {
    const { remote, branch } = this.settings;
    const result = await this.git.attempt(
      ["ls-remote", remote, `refs/heads/${branch}`],
      { action: `ask ${redactUrls(this.remoteUrl.url)} for its branch ${branch}` },
    );
    if (result.code !== 0) throw this.remoteError(`reach ${redactUrls(this.remoteUrl.url)}`, result);
    // A pattern of ls-remote matches the ends of other names too.
    const lines = new TextDecoder().decode(result.stdout).split("\n").map((line) => line.split("\t"));
    const tip = lines.find(([, name]) => name === `refs/heads/${branch}`)?.[0];
    if (tip !== undefined && objectFormatOf(tip) !== this.#facts.format) {
      throw new ObjectFormatError(this.git.repoDir, objectFormatOf(tip));
    }
    return tip;
  }

  /**
   * Brings a commit of the remote branch and notes it as the branch's state. A clone of our own begins with the newest
   * commit alone, and one for pulling takes no files along, so the cost does not grow with the history.
   *
   * @param ours what the clone's branch is at, if it is known
   */
  async fetchCommit(commit: ObjectId, ours?: ObjectId): Promise<void> {
    this.sweep();
    const depth = this.isOwn && ours === undefined && await this.#isEmpty() ? ["--depth=1"] : [];
    await this.#fetch(this.git, depth, [`+${commit}:refs/remotes/${this.remoteBranch}`]);
  }

  /** Whether the clone holds nothing of the branch. A second shallow commit would have no history in common with it. */
  async #isEmpty(): Promise<boolean> {
    for (const name of [`refs/remotes/${this.remoteBranch}`, `refs/heads/${this.settings.branch}`]) {
      if (await this.findCommit(name) !== undefined) return false;
    }
    return true;
  }

  /** Before something is added to a clone of our own: takes away what killed gits left in it. */
  sweep(): void {
    if (this.isOwn) sweepTemporaryObjects(this.#context, this.objectsDir);
  }

  /** As {@link fetchCommit} into a scratch folder, with no trace in the clone; for dry runs. */
  async peekCommit(scratch: Git, commit: ObjectId): Promise<void> {
    const first = await this.findCommit("HEAD") === undefined;
    await this.#fetch(scratch, [...(first ? ["--depth=1"] : []), "--refmap="], [commit]);
  }

  /** Brings objects by name, which the server has to allow (git's protocol 2 does). */
  async fetchObjects(git: Git, ids: readonly ObjectId[]): Promise<void> {
    const scratch = git.with({ config: ["fetch.negotiationAlgorithm=noop"] });
    await this.#fetch(scratch, ["--stdin"], [], { stdin: ids.join("\n") + "\n" });
  }

  async #fetch(
    git: Git,
    options: readonly string[],
    refspecs: readonly string[],
    streams: Pick<CallOptions, "stdin"> = {},
  ): Promise<void> {
    const { remote, branch } = this.settings;
    await this.requireHistory();
    // A filter would turn a user's whole clone into a partial one.
    const isPartial = this.#facts.kind === "blobless" || this.#facts.isLazy;
    const filter = isPartial ? [BLOBLESS] : [];
    const fetching = isPartial ? git.with(bloblessFetch(remote)) : git;
    try {
      await fetching.bytes(
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
        { action: `fetch ${branch} from ${redactUrls(this.remoteUrl.url)}`, transfer: true, ...streams },
      );
    } catch (error) {
      // The other side may be damaged as well: the clone is looked at by itself.
      throw ofRemote(error, this.objectsDir);
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

  /** Looks at the worktree; untracked files count as dirty, as in `git status`. */
  async status(): Promise<WorktreeStatus> {
    this.#refuse(findIndexDamage(this.#context.fs, this.gitDir));
    const output = await this.git.bytes(
      ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal"],
      { action: `look at the worktree of ${this.git.repoDir}` },
    );
    const status = parseStatus(new TextDecoder().decode(output));
    // To git a branch whose reference is damaged is one without commits, and every file of it is new.
    if (status.branch === "(unknown)") this.#refuse("the branch that is checked out cannot be read");
    // A user's clone may be on a new branch; only this program checks out branches in its own.
    if (this.isOwn) this.#refuse(findBranchDamage(status));
    return status;
  }

  #refuse(damage: string | undefined): void {
    if (damage !== undefined) throw new CloneDamagedError(this.git.repoDir, damage);
  }
}
