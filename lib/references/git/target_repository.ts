import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { FailedError } from "../../core/errors.ts";
import { removeTree } from "../../core/files.ts";
import type { Secret } from "../../core/secret.ts";
import { isPushRace } from "../../git/declined_push.ts";
import { BLOBLESS, bloblessFetch, findMissingIdentity } from "../../git/git_options.ts";
import { Git } from "../../git/git.ts";
import { splitLogin } from "../../git/remote_url.ts";
import type { ObjectId } from "../../git/object_id.ts";
import type { FileTexts } from "../plan.ts";
import { type CommitFiles, fetchFiles, listEntries, patchBetween, readTexts } from "./commit_files.ts";
import { explainFailure } from "./explain_failure.ts";
import { signInToTarget } from "./sign_in.ts";
import { openPersistentClone } from "./persistent_clone.ts";
import { fullName, type RepositoryAddress } from "./repository_address.ts";
import { cloneShallow, temporaryFolder } from "./temporary_clone.ts";

/** The place of a repository's clone. */
export type ClonePlace =
  /** A folder that is deleted at the end, below `parent` or in the system's temporary folder. */
  | { readonly kind: "temporary"; readonly parent: string | undefined }
  /** `<root>/<owner>/<name>`, kept between runs. */
  | { readonly kind: "kept"; readonly root: string; readonly discardLocalChanges: boolean };

/** A repository, and how to clone it. */
export interface TargetOptions {
  readonly address: RepositoryAddress;
  /** The root of the git host: `https://github.com`. */
  readonly serverUrl: string;
  readonly token: Secret | undefined;
  readonly place: ClonePlace;
}

/** Reference files have a few megabytes. A slower connection is unusable for a sync. */
const TRANSFER_TIMEOUT_MS = 10 * 60_000;

/** The remote's name in every clone. */
const REMOTE = "origin";

/** The number of commits of a proposed branch that are read. People add a few, and each sync one. */
const BRANCH_DEPTH = 250;

/**
 * A clone of a repository of reference files. Files are read from commits and written as commits, never through a
 * worktree: neither line ending settings nor an incomplete checkout can change them. Needs read, write and run
 * permission (git). Dispose of it to delete a temporary clone.
 */
export class TargetRepository implements AsyncDisposable {
  readonly address: RepositoryAddress;
  /** The newest commit of the base branch. */
  readonly base: ObjectId;
  readonly #token: Secret | undefined;
  readonly #git: Git;
  readonly #context: Context;
  readonly #resources: AsyncDisposableStack;
  /** Whether the clone has no history, and only the files that were read. */
  readonly #isShallow: boolean;

  private constructor(
    context: Context,
    git: Git,
    { address, token }: Pick<TargetOptions, "address" | "token">,
    base: ObjectId,
    isShallow: boolean,
    resources: AsyncDisposableStack,
  ) {
    this.#context = context;
    this.#git = git;
    this.address = address;
    this.#token = token;
    this.base = base;
    this.#isShallow = isShallow;
    this.#resources = resources;
  }

  /**
   * Clones the newest commit of the base branch, or updates a kept clone to it.
   *
   * @throws {UnreachableError} no such repository or branch; {@link AuthenticationError};
   * {@link UsageError} a kept clone is of another repository, or has local changes that may not be discarded
   */
  static async open(context: Context, options: TargetOptions): Promise<TargetRepository> {
    await using resources = new AsyncDisposableStack();
    const { address, serverUrl, token, place } = options;
    const { url, login } = splitLogin(`${serverUrl}/${fullName(address)}.git`);
    const parent = place.kind === "temporary"
      ? await temporaryFolder(context, place.parent, resources)
      : place.root;
    const folder = place.kind === "temporary"
      ? join(parent, "clone")
      : join(parent, address.owner, address.name);
    context.fs.mkdirSync(folder, { recursive: true });
    const bare = new Git(context, {
      repoDir: folder,
      transferTimeoutMs: TRANSFER_TIMEOUT_MS,
      // Hooks in a kept clone would get the token in their environment.
      config: [`core.hooksPath=${join(folder, ".git", "no-hooks")}`],
    });
    const git = await signInToTarget(context, bare, address, { url, login, token });
    const opened = place.kind === "temporary"
      ? cloneShallow(context, git, url, address)
      : openPersistentClone(context, git, { address, url, ...place });
    const base = await opened.catch((error: unknown) => {
      throw explainFailure(error, { address, token });
    });
    const isShallow = place.kind === "temporary";
    return new TargetRepository(context, git, { address, token }, base, isShallow, resources.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  /** Fetches files at the root of a commit at once, before they are read one after the other. */
  async fetch(commit: ObjectId, paths: readonly string[]): Promise<void> {
    await fetchFiles(this.#files, commit, paths);
  }

  /** Returns the texts of files at the root of a commit. Missing files are left out. */
  async read(commit: ObjectId, paths: readonly string[]): Promise<FileTexts> {
    return await readTexts(this.#files, commit, paths);
  }

  /** Returns the object names of files, which show whether a file changed between two commits. */
  async contentIds(commit: ObjectId, paths: readonly string[]): Promise<string> {
    const entries = await listEntries(this.#files, commit, paths);
    return paths.map((path) => `${path}=${entries.get(path)?.id ?? "none"}`).join(" ");
  }

  /** Returns the newest commit of a remote branch; `undefined` if there is no such branch. */
  async remoteHead(branch: string): Promise<ObjectId | undefined> {
    const ref = `refs/heads/${branch}`;
    const action = `query the branch ${branch} of ${this.#name}`;
    const output = await this.#git.text(["ls-remote", REMOTE, ref], { action }).catch((error: unknown) => {
      throw this.#explained(error);
    });
    return output.split("\n").map((line) => line.split("\t")).find(([, name]) => name === ref)?.[0];
  }

  /**
   * Returns the commits of a remote branch that are not on the base branch, newest first along first parents, with
   * their messages and trees.
   */
  async history(branch: string, head: ObjectId): Promise<BranchCommit[]> {
    await this.#fetchHistory(branch, head);
    const meeting = { action: `find where ${branch} of ${this.#name} begins` };
    // The base branch has new commits, and the clone lacks the older ones.
    if (this.#isShallow && (await this.#git.attempt(["merge-base", head, this.base], meeting)).code !== 0) {
      await this.#fetchHistory(this.address.branch, this.base);
    }
    const output = await this.#git.text([
      "log",
      "--first-parent",
      `--max-count=${BRANCH_DEPTH}`,
      "--format=%H%x00%T%x00%P%x00%B%x01",
      head,
      `^${this.base}`,
      "--",
    ], { action: `read the history of ${branch}` });
    return output.split("\x01").map((entry) => entry.trimStart()).filter((entry) => entry !== "").map(
      (entry) => {
        const [id = "", tree = "", parents = "", message = ""] = entry.split("\0");
        return { id, tree, parents: parents.split(" ").filter((parent) => parent !== ""), message };
      },
    );
  }

  /** One fetch each: git does not deepen a commit that it has when another one is requested, too. */
  async #fetchHistory(branch: string, head: ObjectId): Promise<void> {
    const git = this.#isShallow ? this.#git.with(bloblessFetch(REMOTE)) : this.#git;
    await git.bytes([
      "fetch",
      "--no-tags",
      "--no-write-fetch-head",
      "--quiet",
      // A filter would make a whole clone a partial one.
      ...(this.#isShallow ? [`--depth=${BRANCH_DEPTH}`, BLOBLESS] : []),
      REMOTE,
      `+${head}:refs/remotes/${REMOTE}/${branch}`,
    ], { action: `fetch ${branch} from ${this.#name}`, transfer: true });
  }

  /** Returns the tree of a commit with other files. */
  async treeWith(parent: ObjectId, files: FileTexts): Promise<ObjectId> {
    const entries = await listEntries(this.#files, parent, [...files.keys()]);
    const index = join(this.#git.repoDir, ".git", `model-sync-${crypto.randomUUID()}.index`);
    const git = this.#git.with({ env: { GIT_INDEX_FILE: index } });
    const call = { action: `write a commit for ${this.#name}` };
    try {
      await git.bytes(["read-tree", parent], call);
      const lines: string[] = [];
      for (const [path, text] of files) {
        const id = await git.text(["hash-object", "-w", "--stdin"], { ...call, stdin: text });
        lines.push(`${entries.get(path)?.mode ?? "100644"} ${id}\t${path}\n`);
      }
      await git.bytes(["update-index", "--add", "--index-info"], { ...call, stdin: lines.join("") });
      // The clone need not have the other files.
      return await git.text(["write-tree", "--missing-ok"], call);
    } finally {
      await removeTree(this.#context.fs, index);
    }
  }

  /** Creates a commit that is on no branch yet. */
  async commit(tree: ObjectId, parent: ObjectId, message: string): Promise<ObjectId> {
    const config = await findMissingIdentity(this.#git, this.#context.host);
    return await this.#git.with({ config }).text(["commit-tree", tree, "-p", parent, "-F", "-"], {
      action: `write a commit for ${this.#name}`,
      stdin: message,
    });
  }

  /**
   * Pushes a commit to a remote branch, if that is still at `seen`.
   *
   * @param seen the expected remote commit; `undefined` for a branch that must not exist
   * @throws {FailedError} code `BRANCH_MOVED` when another push came first
   */
  async push(branch: string, commit: ObjectId, seen: ObjectId | undefined): Promise<void> {
    const ref = `refs/heads/${branch}`;
    const action = `push ${branch} to ${this.#name}`;
    const result = await this.#git.attempt(
      ["push", "--quiet", `--force-with-lease=${ref}:${seen ?? ""}`, REMOTE, `${commit}:${ref}`],
      { action, transfer: true },
    );
    if (result.code === 0) return;
    if (isPushRace(result.stderr)) {
      throw new FailedError(`Cannot ${action}: another push came first`, {
        code: "BRANCH_MOVED",
        hint: "run again: the commits of others are kept",
      });
    }
    throw this.#explained(this.#git.error(action, result), branch);
  }

  #explained(error: unknown, pushed?: string): unknown {
    return explainFailure(error, { address: this.address, token: this.#token, pushed });
  }

  /** Creates a local branch at a commit, for users of a kept clone. */
  async nameLocally(branch: string, commit: ObjectId): Promise<void> {
    await this.#git.bytes(["update-ref", `refs/heads/${branch}`, commit], { action: `name ${branch}` });
  }

  /** As {@link patchBetween}, in this clone. */
  async patch(from: ObjectId, to: ObjectId): Promise<string> {
    return await patchBetween(this.#files, from, to);
  }

  get #name(): string {
    return fullName(this.address);
  }

  get #files(): CommitFiles {
    return { git: this.#git, name: this.#name, remote: this.#isShallow ? REMOTE : undefined };
  }
}

/** A commit of a branch, with the properties that show its author. */
export interface BranchCommit {
  readonly id: ObjectId;
  readonly tree: ObjectId;
  readonly parents: readonly ObjectId[];
  readonly message: string;
}
