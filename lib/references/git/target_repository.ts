import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { decodeUtf8 } from "../../core/decode_utf8.ts";
import { FailedError, RefusedError } from "../../core/errors.ts";
import { removeTree } from "../../core/files.ts";
import type { Secret } from "../../core/secret.ts";
import { BLOBLESS, bloblessFetch, missingIdentity } from "../../git/git_options.ts";
import { findMissing } from "../../git/blobs.ts";
import { Git } from "../../git/git.ts";
import { splitLogin } from "../../git/remote_url.ts";
import type { ObjectId } from "../../git/object_id.ts";
import type { FileTexts } from "../plan.ts";
import { explainFailure } from "./explain_failure.ts";
import { signInToTarget } from "./sign_in.ts";
import { openPersistentClone } from "./persistent_clone.ts";
import { fullName, type RepositoryAddress } from "./repository_address.ts";
import { cloneShallow, temporaryFolder } from "./temporary_clone.ts";

/** Where a repository is cloned to. */
export type ClonePlace =
  /** A folder that is removed at the end, below `parent` or wherever the system has such folders. */
  | { readonly kind: "temporary"; readonly parent: string | undefined }
  /** `<root>/<owner>/<name>`, kept from run to run. */
  | { readonly kind: "kept"; readonly root: string; readonly discardLocalChanges: boolean };

/** How a repository is reached and cloned. */
export interface TargetOptions {
  readonly address: RepositoryAddress;
  /** The root of the git host: `https://github.com`. */
  readonly serverUrl: string;
  readonly token: Secret | undefined;
  readonly place: ClonePlace;
}

/** What a commit is made of. */
export interface NewCommit {
  readonly parent: ObjectId;
  readonly files: FileTexts;
  readonly message: string;
}

/** A file in a tree. */
interface TreeEntry {
  readonly mode: string;
  readonly id: ObjectId;
}

/** Reference files have a few megabytes: whoever needs longer has no line that a sync could use. */
const TRANSFER_TIMEOUT_MS = 10 * 60_000;

/** The remote's name in every clone. */
const REMOTE = "origin";

/** Commits of a proposed branch that are looked at: people add a handful, and a sync one each time. */
const BRANCH_DEPTH = 250;

/**
 * A clone of one repository of reference files. Files are read from commits and written as commits, never through a
 * worktree: neither line ending settings nor a half-done checkout can change what is read or proposed. Needs read,
 * write and run permission (git). Dispose of it to remove a temporary clone.
 */
export class TargetRepository implements AsyncDisposable {
  readonly address: RepositoryAddress;
  /** The newest commit of the base branch. */
  readonly base: ObjectId;
  readonly #token: Secret | undefined;
  readonly #git: Git;
  readonly #context: Context;
  readonly #resources: AsyncDisposableStack;
  /** Without history, and without files that nobody read. */
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
   * Clones the newest commit of the base branch, or brings a kept clone up to it.
   *
   * @throws {UnreachableError} no such repository or branch; {@link AuthenticationError};
   * {@link UsageError} a kept clone is of something else, or has local changes that may not be discarded
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
      // A hook of somebody's in a kept clone would find the token in its environment.
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

  /** Files at the root of a commit, as text; those that it has not are left out. */
  async read(commit: ObjectId, paths: readonly string[]): Promise<FileTexts> {
    const entries = await this.#entries(commit, paths);
    const ids = [...entries.values()].map(({ id }) => id);
    const missing = this.#isShallow ? await findMissing(this.#git, commit, ids) : [];
    if (missing.length > 0) await this.#fetchObjects(missing);
    const texts = new Map<string, string>();
    for (const [path, { id }] of entries) {
      const bytes = await this.#git.bytes(["cat-file", "blob", id], {
        action: `read ${path} of ${this.#name}`,
      });
      const text = decodeUtf8(bytes);
      if (text === undefined) throw unfit(this.#name, path, "is not UTF-8 text");
      texts.set(path, text);
    }
    return texts;
  }

  /** The names of the contents of files: they tell whether a file changed between two commits. */
  async contentIds(commit: ObjectId, paths: readonly string[]): Promise<string> {
    const entries = await this.#entries(commit, paths);
    return paths.map((path) => `${path}=${entries.get(path)?.id ?? "none"}`).join(" ");
  }

  /** The commit of a branch of the remote; `undefined` where there is no such branch. */
  async remoteHead(branch: string): Promise<ObjectId | undefined> {
    const ref = `refs/heads/${branch}`;
    const action = `ask ${this.#name} for its branch ${branch}`;
    const output = await this.#git.text(["ls-remote", REMOTE, ref], { action }).catch((error: unknown) => {
      throw this.#explained(error);
    });
    return output.split("\n").map((line) => line.split("\t")).find(([, name]) => name === ref)?.[0];
  }

  /**
   * The commits that a remote branch has and the base branch has not, newest first along first parents, with their
   * messages and trees.
   */
  async history(branch: string, head: ObjectId): Promise<BranchCommit[]> {
    await this.#fetchHistory(branch, head);
    const meeting = { action: `find where ${branch} of ${this.#name} begins` };
    // The base branch moved on, and nothing is here of what is below its newest commit.
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

  /** Each by itself: git does not deepen a commit that it has when it is asked for another, too. */
  async #fetchHistory(branch: string, head: ObjectId): Promise<void> {
    const git = this.#isShallow ? this.#git.with(bloblessFetch(REMOTE)) : this.#git;
    await git.bytes([
      "fetch",
      "--no-tags",
      "--no-write-fetch-head",
      "--quiet",
      // A filter would turn a whole clone into a partial one.
      ...(this.#isShallow ? [`--depth=${BRANCH_DEPTH}`, BLOBLESS] : []),
      REMOTE,
      `+${head}:refs/remotes/${REMOTE}/${branch}`,
    ], { action: `fetch ${branch} from ${this.#name}`, transfer: true });
  }

  /** The tree that a commit's would be with other files. */
  async treeWith(parent: ObjectId, files: FileTexts): Promise<ObjectId> {
    const entries = await this.#entries(parent, [...files.keys()]);
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
      // Other files are not here, and need not be.
      return await git.text(["write-tree", "--missing-ok"], call);
    } finally {
      await removeTree(this.#context.fs, index);
    }
  }

  /** Makes a commit, which no branch has yet. */
  async commit(tree: ObjectId, parent: ObjectId, message: string): Promise<ObjectId> {
    const config = await missingIdentity(this.#git, this.#context.host);
    return await this.#git.with({ config }).text(["commit-tree", tree, "-p", parent, "-F", "-"], {
      action: `write a commit for ${this.#name}`,
      stdin: message,
    });
  }

  /**
   * Makes a commit the head of a branch of the remote, in the place of what was seen there, and of nothing else.
   *
   * @param seen the remote's commit; `undefined` for a branch that must not be there yet
   * @throws {FailedError} code `BRANCH_MOVED` when somebody else pushed meanwhile
   */
  async push(branch: string, commit: ObjectId, seen: ObjectId | undefined): Promise<void> {
    const ref = `refs/heads/${branch}`;
    const action = `push ${branch} to ${this.#name}`;
    const result = await this.#git.attempt(
      ["push", "--quiet", `--force-with-lease=${ref}:${seen ?? ""}`, REMOTE, `${commit}:${ref}`],
      { action, transfer: true },
    );
    if (result.code === 0) return;
    if (/stale info|fetch first|\(non-fast-forward\)/.test(result.stderr)) {
      throw new FailedError(`Cannot ${action}: somebody else pushed there meanwhile`, {
        code: "BRANCH_MOVED",
        hint: "run again: their commits are respected",
      });
    }
    throw this.#explained(this.#git.error(action, result), branch);
  }

  #explained(error: unknown, pushed?: string): unknown {
    return explainFailure(error, { address: this.address, token: this.#token, pushed });
  }

  /** Gives a commit a branch of this clone, for who looks at a kept one. */
  async nameLocally(branch: string, commit: ObjectId): Promise<void> {
    await this.#git.bytes(["update-ref", `refs/heads/${branch}`, commit], { action: `name ${branch}` });
  }

  /** The difference between two commits as a patch, also of files that the repository wants no difference shown of. */
  async patch(from: ObjectId, to: ObjectId): Promise<string> {
    if (this.#isShallow) await this.#fetchCompared(from, to);
    const bytes = await this.#git.bytes(
      ["diff", "--text", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", from, to],
      { action: `compare commits of ${this.#name}` },
    );
    return new TextDecoder().decode(bytes);
  }

  /** Fetches the files that a comparison of two commits reads. */
  async #fetchCompared(from: ObjectId, to: ObjectId): Promise<void> {
    const call = { action: `compare commits of ${this.#name}` };
    const changes = await this.#git.text(
      ["diff-tree", "-r", "--raw", "--no-abbrev", "--no-renames", from, to],
      call,
    );
    const ids = [...changes.matchAll(/^:\d+ \d+ ([0-9a-f]+) ([0-9a-f]+) /gm)]
      .flatMap(([, before = "", after = ""]) => [before, after]).filter((id) => !/^0+$/.test(id));
    if (ids.length === 0) return;
    const held = await this.#git.text(["cat-file", "--batch-check"], {
      ...call,
      stdin: ids.join("\n") + "\n",
    });
    const missing = [...held.matchAll(/^([0-9a-f]+) missing$/gm)].map(([, id = ""]) => id);
    if (missing.length > 0) await this.#fetchObjects(missing);
  }

  get #name(): string {
    return fullName(this.address);
  }

  async #entries(commit: ObjectId, paths: readonly string[]): Promise<ReadonlyMap<string, TreeEntry>> {
    const output = await this.#git.bytes(
      ["--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", ...paths],
      { action: `list the files of ${this.#name}` },
    );
    const entries = new Map<string, TreeEntry>();
    for (const line of new TextDecoder().decode(output).split("\0").filter((line) => line !== "")) {
      const [, mode = "", id = "", path = ""] = /^(\d+) \w+ ([0-9a-f]+)\t([^]*)$/.exec(line) ?? [];
      if (!["100644", "100755"].includes(mode)) throw unfit(this.#name, path, "is not a plain file");
      entries.set(path, { mode, id });
    }
    return entries;
  }

  async #fetchObjects(ids: readonly ObjectId[]): Promise<void> {
    const git = this.#git.with(bloblessFetch(REMOTE)).with({ config: ["fetch.negotiationAlgorithm=noop"] });
    await git.bytes(
      ["fetch", "--no-tags", "--no-write-fetch-head", "--quiet", BLOBLESS, "--stdin", REMOTE],
      { action: `read files of ${this.#name}`, transfer: true, stdin: ids.join("\n") + "\n" },
    );
  }
}

/** A commit of a branch, as far as it matters who made it. */
export interface BranchCommit {
  readonly id: ObjectId;
  readonly tree: ObjectId;
  readonly parents: readonly ObjectId[];
  readonly message: string;
}

function unfit(repository: string, path: string, problem: string): RefusedError {
  return new RefusedError(`Cannot use ${path} of ${repository}: it ${problem}`, {
    code: "REFERENCE_FILE_UNFIT",
    hint: "mend it in the repository; nothing was changed",
  });
}
