import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { UnreachableError } from "../core/errors.ts";
import { findEntry } from "../core/files.ts";
import { acquireLock, type LockOwner } from "../core/lock.ts";
import { redactUrls, type Secret } from "../core/secret.ts";
import { askRemoteUrl, type CloneFacts, type CloneKind, openClone } from "./clone.ts";
import { type CallOptions, Git } from "./git.ts";
import { PLAIN_GIT } from "./plain_git.ts";
import { remoteAccess } from "./remote_access.ts";
import { removeStaleLocks } from "./stale_locks.ts";
import { sweepTemporaryObjects } from "./temporary_objects.ts";
import { parseRemoteUrl, type RemoteUrl } from "./remote_url.ts";

/** Where the models' git repository is and how to reach it. */
export interface RegistrySettings {
  /** The clone on this machine. Made from `repoUrl` when there is none. */
  readonly repoDir: string;
  readonly repoUrl: string | undefined;
  readonly remote: string;
  readonly branch: string;
  readonly token: Secret | undefined;
  readonly transferTimeoutMs: number;
}

/** What a run wants of the registry. */
export type RegistryUse =
  & {
    /** How a clone is made, if there is none. */
    readonly clone: CloneKind;
    /** No hook runs by itself: what is written must be what was hashed. */
    readonly withoutHooks?: boolean;
  }
  & (
    | {
      /** Who works in the clone from now on. */
      readonly owner: LockOwner;
    }
    | {
      /** Nothing is changed. */
      readonly owner: "unlocked";
      /** Where a clone is made then. */
      readonly scratch: string;
    }
  );

/** A git object name: 40 hexadecimal digits, or 64 in a SHA-256 repository. */
export type ObjectId = string;

/** How two commits stand to each other. */
export type Relation = "same" | "behind" | "ahead" | "diverged";

/** What `git status` says. */
export interface WorktreeStatus {
  /** The commit that is checked out; `undefined` on a branch without commits. */
  readonly head: ObjectId | undefined;
  /** The branch that is checked out; `undefined` when none is. */
  readonly branch: string | undefined;
  /** Paths that differ from the commit or are untracked. */
  readonly dirty: readonly string[];
}

/** Without blobs: the files of a release are fetched by name, and only those that the store does not hold. */
const BLOBLESS = "--filter=blob:none";

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
  /** Objects may be missing, to be fetched when needed. */
  readonly #isPartial: boolean;
  readonly #context: Context;
  readonly #resources: DisposableStack;

  private constructor(
    facts:
      & Omit<CloneFacts, "remoteUrl" | "configuredUrl">
      & Pick<Registry, "git" | "hookGit" | "remoteUrl" | "settings">,
    context: Context,
    resources: DisposableStack,
  ) {
    this.git = facts.git;
    this.hookGit = facts.hookGit;
    this.gitDir = facts.gitDir;
    this.objectsDir = facts.objectsDir;
    this.isBare = facts.isBare;
    this.isOwn = facts.isOwn;
    this.#isPartial = facts.isPartial;
    this.remoteUrl = facts.remoteUrl;
    this.settings = facts.settings;
    this.#context = context;
    this.#resources = resources;
  }

  /**
   * Opens the clone, or makes an empty one where `repoUrl` says what it is a clone of. Nothing is fetched yet.
   *
   * @throws {UsageError} no clone, not a repository, no such remote
   * @throws {LockedError} another run works in it
   */
  static async open(context: Context, settings: RegistrySettings, use: RegistryUse): Promise<Registry> {
    using resources = new DisposableStack();
    const { git: bare, facts } = await openClone(context, settings, {
      kind: use.clone,
      scratch: use.owner === "unlocked" ? use.scratch : undefined,
      reach: (url) => reach(context, settings, url),
    });
    if (use.owner !== "unlocked") {
      const lock = join(facts.gitDir, "model-sync.lock");
      resources.use(await acquireLock(context.fs, lock, use.owner, context.clock));
      if (facts.isOwn) await removeStaleLocks(context, facts.gitDir, settings);
    }
    const remoteUrl = parseRemoteUrl(facts.remoteUrl ?? await askRemoteUrl(bare, settings));
    // A run that changes nothing must not refresh the index either.
    const optional: Record<string, string> = use.owner === "unlocked" ? { GIT_OPTIONAL_LOCKS: "0" } : {};
    const hookGit = bare.with(await remoteAccess(context, bare, remoteUrl, settings, resources))
      .with({ env: optional });
    const git = use.withoutHooks === true ? hookGit.with(PLAIN_GIT) : hookGit;
    return new Registry({ ...facts, git, hookGit, remoteUrl, settings }, context, resources.move());
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
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
    if (result.code !== 0) throw this.git.error(`reach ${redactUrls(this.remoteUrl.url)}`, result);
    // A pattern of ls-remote matches the ends of other names too.
    const lines = new TextDecoder().decode(result.stdout).split("\n").map((line) => line.split("\t"));
    return lines.find(([, name]) => name === `refs/heads/${branch}`)?.[0];
  }

  /**
   * Brings a commit of the remote branch and notes it as the branch's state. A clone of our own begins with the newest
   * commit alone, and one for pulling takes no files along, so the cost does not grow with the history.
   */
  async fetchCommit(commit: ObjectId): Promise<void> {
    this.sweep();
    const first = await this.findCommit(`refs/remotes/${this.remoteBranch}`) === undefined;
    const depth = this.isOwn && first ? ["--depth=1"] : [];
    await this.#fetch(this.git, [...depth, "--quiet"], [`+${commit}:refs/remotes/${this.remoteBranch}`]);
  }

  /** Before something is added to a clone of our own: takes away what killed gits left in it. */
  sweep(): void {
    if (this.isOwn) sweepTemporaryObjects(this.#context, this.objectsDir);
  }

  /** As {@link fetchCommit} into a scratch folder, with no trace in the clone; for dry runs. */
  async peekCommit(scratch: Git, commit: ObjectId): Promise<void> {
    const first = await this.findCommit("HEAD") === undefined;
    await this.#fetch(scratch, [...(first ? ["--depth=1"] : []), "--refmap=", "--quiet"], [commit]);
  }

  /** Brings objects by name, which the server has to allow (git's protocol 2 does). */
  async fetchObjects(git: Git, ids: readonly ObjectId[], onStderr: (text: string) => void): Promise<void> {
    const scratch = git.with({ config: ["fetch.negotiationAlgorithm=noop"] });
    await this.#fetch(scratch, ["--progress", "--stdin"], [], { stdin: ids.join("\n") + "\n", onStderr });
  }

  async #fetch(
    git: Git,
    options: readonly string[],
    refspecs: readonly string[],
    streams: Pick<CallOptions, "stdin" | "onStderr"> = {},
  ): Promise<void> {
    const { remote, branch } = this.settings;
    // A filter would turn a user's whole clone into a partial one.
    const filter = this.#isPartial ? [BLOBLESS] : [];
    await git.bytes(
      ["fetch", "--no-tags", "--no-write-fetch-head", ...filter, ...options, remote, ...refspecs],
      { action: `fetch ${branch} from ${redactUrls(this.remoteUrl.url)}`, transfer: true, ...streams },
    );
  }

  /**
   * The commit that a name stands for, if the clone holds it. `--missing` keeps a partial clone from fetching whatever
   * it is asked about.
   */
  async findCommit(name: string): Promise<ObjectId | undefined> {
    const result = await this.git.attempt([
      "rev-list",
      "--no-walk",
      "--max-count=1",
      "--missing=allow-any",
      name,
      "--",
    ], {
      action: `look for ${name}`,
    });
    return result.code === 0 ? new TextDecoder().decode(result.stdout).trim() : undefined;
  }

  /** How `ours` stands to `theirs`: `behind` means that `theirs` can be fast-forwarded to. */
  async relation(git: Git, ours: ObjectId, theirs: ObjectId): Promise<Relation> {
    if (ours === theirs) return "same";
    if (await this.#isAncestor(git, ours, theirs)) return "behind";
    return await this.#isAncestor(git, theirs, ours) ? "ahead" : "diverged";
  }

  async #isAncestor(git: Git, older: ObjectId, newer: ObjectId): Promise<boolean> {
    const result = await git.attempt(["merge-base", "--is-ancestor", older, newer], {
      action: "compare commits",
    });
    if (result.code > 1) throw git.error("compare commits", result);
    return result.code === 0;
  }

  /** Looks at the worktree; untracked files count as dirty, as in `git status`. */
  async status(): Promise<WorktreeStatus> {
    const output = await this.git.bytes(
      ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal"],
      { action: `look at the worktree of ${this.git.repoDir}` },
    );
    return parseStatus(new TextDecoder().decode(output));
  }
}

/** Asks a registry whether it is there, with nothing but its address. */
async function reach(context: Context, settings: RegistrySettings, url: string): Promise<void> {
  using resources = new DisposableStack();
  const git = new Git(context, settings);
  const asking = git.with(await remoteAccess(context, git, parseRemoteUrl(url), settings, resources));
  await asking.bytes(["ls-remote", "--heads", url], { action: `reach ${redactUrls(url)}` });
}

/**
 * Reads `git status --porcelain=v2 --branch -z` (git-status(1), "Porcelain Format Version 2").
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseStatus } from "./registry.ts";
 * const status = parseStatus("# branch.oid (initial)\0# branch.head main\0? new.txt\0");
 * assert.deepEqual(status, { head: undefined, branch: "main", dirty: ["new.txt"] });
 * ```
 */
export function parseStatus(output: string): WorktreeStatus {
  let head: string | undefined;
  let branch: string | undefined;
  const dirty: string[] = [];
  const fields = output.split("\0");
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index] ?? "";
    if (field.startsWith("# branch.oid ")) {
      head = nameOrUndefined(field.slice("# branch.oid ".length), "(initial)");
    } else if (field.startsWith("# branch.head ")) {
      branch = nameOrUndefined(field.slice("# branch.head ".length), "(detached)");
    } else if (field.startsWith("1 ")) dirty.push(field.split(" ").slice(8).join(" "));
    else if (field.startsWith("2 ")) {
      dirty.push(field.split(" ").slice(9).join(" "));
      // A rename's old path follows in a field of its own.
      index++;
    } else if (field.startsWith("u ")) dirty.push(field.split(" ").slice(10).join(" "));
    else if (field.startsWith("? ")) dirty.push(field.slice(2));
  }
  return { head, branch, dirty };
}

function nameOrUndefined(value: string, absent: string): string | undefined {
  return value === absent ? undefined : value;
}

/** The refusal of a branch that the remote does not have. */
export function missingBranch(registry: Registry): UnreachableError {
  return new UnreachableError(
    `Cannot find the branch ${registry.settings.branch} in ${
      redactUrls(registry.remoteUrl.url)
    }: nothing was published there yet`,
    {
      code: "BRANCH_MISSING",
      hint: "publish first, or set model_sync.branch to the branch that holds the models",
    },
  );
}
