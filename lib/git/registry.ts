import { basename, dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { diskError, UnreachableError, UsageError } from "../core/errors.ts";
import { findEntry, ifFound, removeTree } from "../core/files.ts";
import { redactUrls, type Secret } from "../core/secret.ts";
import { acquireLock, type LockOwner } from "../core/lock.ts";
import { type Askpass, createAskpass } from "./askpass.ts";
import { type CallOptions, Git } from "./git.ts";
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

/** Marks clones that this program made: their upkeep is its business, and nobody works in them. */
const OWN_MARK = "model-sync.own";

/** Makes git's other side, where we run it ourselves, do as hosted ones do, and not compress what does not compress. */
const LOCAL_UPLOAD_PACK =
  "git -c uploadpack.allowFilter=true -c uploadpack.allowAnySHA1InWant=true -c core.compression=0 -c pack.compression=0 " +
  "-c pack.window=0 -c core.bigFileThreshold=8m upload-pack";

/** As {@link LOCAL_UPLOAD_PACK}; `unpackLimit` keeps the pack that was sent instead of compressing its files again. */
const LOCAL_RECEIVE_PACK =
  "git -c receive.unpackLimit=1 -c core.compression=0 -c core.bigFileThreshold=8m -c gc.auto=0 receive-pack";

/** Without blobs: the files of a release are fetched by name, and only those that the store does not hold. */
const BLOBLESS = "--filter=blob:none";

/** The git repository that holds the models: a clone on this machine and its remote. Locked while it is open. */
export class Registry implements Disposable {
  readonly git: Git;
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
    facts: Omit<CloneFacts, "remoteUrl"> & Pick<Registry, "git" | "remoteUrl" | "settings">,
    context: Context,
    resources: DisposableStack,
  ) {
    this.git = facts.git;
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
   * @param owner who works in it from now on; `unlocked` for a run that changes nothing
   * @throws {UsageError} no clone, not a repository, no such remote
   * @throws {LockedError} another run works in it
   */
  static async open(
    context: Context,
    settings: RegistrySettings,
    owner: LockOwner | "unlocked",
  ): Promise<Registry> {
    using resources = new DisposableStack();
    const bare = new Git(context, settings);
    const facts = await openClone(context, bare, settings);
    if (owner !== "unlocked") {
      const lock = join(facts.gitDir, "model-sync.lock");
      resources.use(await acquireLock(context.fs, lock, owner, context.clock));
    }
    const remoteUrl = parseRemoteUrl(facts.remoteUrl ?? await askRemoteUrl(bare, settings));
    const git = bare.with(await remoteAccess(context, bare, remoteUrl, settings, resources));
    return new Registry({ ...facts, git, remoteUrl, settings }, context, resources.move());
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
    return /^([0-9a-f]{40,64})\t/m.exec(new TextDecoder().decode(result.stdout))?.[1];
  }

  /**
   * Brings a commit of the remote branch and notes it as the branch's state. A clone of our own begins with the newest
   * commit alone and never takes files along, so the cost of a fetch does not grow with the history.
   */
  async fetchCommit(commit: ObjectId): Promise<void> {
    const first = await this.findCommit(`refs/remotes/${this.remoteBranch}`) === undefined;
    const depth = this.isOwn && first ? ["--depth=1"] : [];
    await this.#fetch(this.git, [...depth, "--quiet"], [`+${commit}:refs/remotes/${this.remoteBranch}`]);
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

async function ensureClone(context: Context, settings: RegistrySettings): Promise<void> {
  const { fs } = context;
  const { repoDir, repoUrl, remote } = settings;
  const entry = ifFound(() => fs.statSync(repoDir));
  if (
    entry !== undefined && !(entry.isDirectory && repoUrl !== undefined && isEmptyFolder(context, repoDir))
  ) return;
  if (repoUrl === undefined) {
    throw new UsageError(`Cannot open the models repository ${repoDir}: it does not exist`, {
      code: "REPO_MISSING",
      hint: "clone it there, or set model_sync.repo_url and it is cloned for you",
    });
  }
  // Made beside its place and moved there whole: a killed run leaves no half of a repository.
  const parent = dirname(repoDir);
  fs.mkdirSync(parent, { recursive: true });
  const temporary = join(parent, `.${basename(repoDir)}.new`);
  await removeTree(fs, temporary);
  try {
    fs.mkdirSync(temporary);
    const git = new Git(context, { repoDir: temporary, transferTimeoutMs: settings.transferTimeoutMs });
    const action = `make a clone in ${repoDir}`;
    await git.bytes(["init", "--quiet"], { action });
    await git.bytes(["symbolic-ref", "HEAD", `refs/heads/${settings.branch}`], { action });
    await git.bytes(["remote", "add", "--no-tags", remote, repoUrl], { action });
    for (const [name, value] of ownConfig(remote)) await git.bytes(["config", name, value], { action });
    if (entry !== undefined) fs.removeSync(repoDir);
    fs.renameSync(temporary, repoDir);
  } catch (error) {
    throw diskError(error, `make a clone in ${repoDir}`);
  }
}

/** What a clone of our own always says, also to a git that somebody runs in it by hand. */
function ownConfig(remote: string): [name: string, value: string][] {
  return [
    [OWN_MARK, "true"],
    [`remote.${remote}.promisor`, "true"],
    [`remote.${remote}.partialclonefilter`, "blob:none"],
    ["core.compression", "0"],
    ["core.bigFileThreshold", "8m"],
    ["core.autocrlf", "false"],
    ["gc.auto", "0"],
  ];
}

function isEmptyFolder(context: Context, path: string): boolean {
  for (const _entry of context.fs.readDirSync(path)) return false;
  return true;
}

/** What a clone is, before it is worked with. */
interface CloneFacts extends Pick<Registry, "gitDir" | "objectsDir" | "isBare" | "isOwn"> {
  readonly isPartial: boolean;
  /** As configured; `undefined` when git has to be asked, because URLs are rewritten. */
  readonly remoteUrl: string | undefined;
}

/** Finds the clone, or makes it. One of our own whose `repo_url` moved on to another registry is made anew. */
async function openClone(context: Context, git: Git, settings: RegistrySettings): Promise<CloneFacts> {
  await ensureClone(context, settings);
  const facts = await readFacts(git, settings.remote);
  const { repoUrl, repoDir } = settings;
  if (!facts.isOwn || repoUrl === undefined || facts.remoteUrl === undefined || facts.remoteUrl === repoUrl) {
    return facts;
  }
  context.log.info(`model_sync.repo_url changed: cloning ${redactUrls(repoUrl)} anew`);
  await removeTree(context.fs, repoDir);
  await ensureClone(context, settings);
  return await readFacts(git, settings.remote);
}

async function readFacts(git: Git, remote: string): Promise<CloneFacts> {
  const result = await git.attempt(
    ["rev-parse", "--path-format=absolute", "--git-dir", "--git-path", "objects", "--is-bare-repository"],
    { action: `open the models repository ${git.repoDir}` },
  );
  if (result.code !== 0) {
    if (!/not a git repository|cannot change to/.test(result.stderr)) {
      throw git.error(`open the models repository ${git.repoDir}`, result);
    }
    throw new UsageError(`Cannot open the models repository ${git.repoDir}: it is not a git repository`, {
      code: "REPO_INVALID",
      hint: "point model_sync.repo_dir at a clone, or at a new folder and set model_sync.repo_url",
    });
  }
  const [gitDir = "", objectsDir = "", isBare] = new TextDecoder().decode(result.stdout).trimEnd().split(
    "\n",
  );
  const config = await git.attempt(["config", "--get-regexp", `^(${OWN_MARK}|remote\\..*|url\\..*)$`], {
    action: "read the clone's configuration",
  });
  const lines = new TextDecoder().decode(config.stdout).split("\n");
  const urls = lines.filter((line) => line.startsWith(`remote.${remote}.url `));
  const isRewritten = urls.length !== 1 || lines.some((line) => line.startsWith("url."));
  return {
    gitDir,
    objectsDir,
    isBare: isBare === "true",
    isOwn: lines.includes(`${OWN_MARK} true`),
    isPartial: lines.includes(`remote.${remote}.promisor true`),
    remoteUrl: isRewritten ? undefined : urls[0]?.slice(`remote.${remote}.url `.length),
  };
}

async function askRemoteUrl(git: Git, settings: RegistrySettings): Promise<string> {
  const { remote, repoDir } = settings;
  const result = await git.attempt(["remote", "get-url", remote], { action: `read the remote ${remote}` });
  if (result.code === 0) return new TextDecoder().decode(result.stdout).trimEnd();
  const remotes = await git.text(["remote"], { action: "list the remotes" });
  throw new UsageError(`Cannot use the remote "${remote}" of ${repoDir}: there is no such remote`, {
    code: "REMOTE_MISSING",
    hint: remotes === ""
      ? `add it: git -C ${repoDir} remote add ${remote} <url>`
      : `it has: ${remotes.split("\n").join(", ")}; set model_sync.remote or --remote`,
  });
}

/** What git needs to reach the remote: options for one on this machine, askpass for a token, an SSH that asks nothing. */
async function remoteAccess(
  context: Context,
  git: Git,
  remoteUrl: RemoteUrl,
  settings: RegistrySettings,
  resources: DisposableStack,
): Promise<Parameters<Git["with"]>[0]> {
  const { remote, token } = settings;
  if (remoteUrl.isLocal) {
    return {
      config: [
        `remote.${remote}.uploadpack=${LOCAL_UPLOAD_PACK}`,
        `remote.${remote}.receivepack=${LOCAL_RECEIVE_PACK}`,
      ],
    };
  }
  if (remoteUrl.origin === undefined) return { env: await sshEnv(context, git) };
  if (token === undefined) return {};
  const askpass: Askpass = resources.use(createAskpass(token, remoteUrl.origin));
  // An empty helper resets the machine's own: they would be asked first, and could open a window.
  return { env: askpass.env, config: ["credential.helper="], secrets: [token] };
}

/** SSH as the machine has it, but it must not ask on the terminal. `GIT_SSH` names a program of another kind. */
async function sshEnv(context: Context, git: Git): Promise<Record<string, string>> {
  let command = context.env.get("GIT_SSH_COMMAND");
  if (command === undefined && context.env.get("GIT_SSH") !== undefined) return {};
  if (command === undefined) {
    const configured = await git.attempt(["config", "--get", "core.sshCommand"], {
      action: "read core.sshCommand",
    });
    command = configured.code === 0 ? new TextDecoder().decode(configured.stdout).trim() : "ssh";
  }
  return { GIT_SSH_COMMAND: `${command} -o BatchMode=yes` };
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
