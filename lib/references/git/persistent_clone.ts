import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { UsageError } from "../../core/errors.ts";
import { findEntry, PRIVATE_FOLDER_MODE, PRIVATE_MODE, setMode } from "../../core/files.ts";
import { quote } from "../../core/quote.ts";
import { redactUrls } from "../../core/secret.ts";
import type { Git } from "../../git/git.ts";
import type { ObjectId } from "../../git/object_id.ts";
import { parseStatus } from "../../git/worktree_status.ts";
import { fullName, type RepositoryAddress } from "./repository_address.ts";

/** A clone that is kept between runs. */
export interface PersistentClone {
  readonly address: RepositoryAddress;
  readonly url: string;
  /** Whether changes of the worktree and unpushed commits may be discarded. */
  readonly discardLocalChanges: boolean;
}

/** The number of changed files that a message lists. */
const FILES_SHOWN_MAX = 10;

/**
 * Clones a repository with its history, or updates an existing clone, and checks out the newest commit of the base
 * branch.
 *
 * @throws {UsageError} codes `CLONE_INVALID` for a folder that is not a clone, `REPOSITORY_MISMATCH` for a clone of
 * another repository, `LOCAL_CHANGES` for changes that may not be discarded
 */
export async function openPersistentClone(
  context: Context,
  git: Git,
  { address, url, discardLocalChanges }: PersistentClone,
): Promise<ObjectId> {
  const { branch } = address;
  const remoteBranch = `refs/remotes/origin/${branch}`;
  const call = { action: `update the clone ${git.repoDir}`, transfer: true };
  const isNew = context.fs.readDirSync(git.repoDir)[Symbol.iterator]().next().done === true;
  if (isNew) {
    // Git creates files in it with the umask, which may let every user write them.
    context.fs.mkdirSync(join(git.repoDir, ".git"), { mode: PRIVATE_FOLDER_MODE });
    await git.bytes(["init", "--quiet", `--initial-branch=${branch}`], call);
    await git.bytes(["remote", "add", "origin", url], call);
    setMode(context.fs, join(git.repoDir, ".git", "config"), PRIVATE_MODE);
  } else await checkIdentity(context, git, address, url);
  await git.bytes(["fetch", "--no-tags", "--quiet", "origin", `+refs/heads/${branch}:${remoteBranch}`], call);
  if (!isNew && !discardLocalChanges) await refuseLocalChanges(git, branch);
  await git.bytes(["checkout", "--quiet", "--force", "-B", branch, remoteBranch, "--"], call);
  if (discardLocalChanges) await git.bytes(["clean", "-ffdq"], call);
  return await git.text(["rev-parse", remoteBranch], call);
}

async function checkIdentity(
  { fs }: Context,
  git: Git,
  address: RepositoryAddress,
  url: string,
): Promise<void> {
  if (findEntry(fs, join(git.repoDir, ".git")) === undefined) {
    throw new UsageError(`Cannot use ${git.repoDir}: it exists, but is not a git repository`, {
      code: "CLONE_INVALID",
      hint: "remove it, or set another --target-dir; clones are created there as <owner>/<name>",
    });
  }
  const result = await git.attempt(["config", "--get", "remote.origin.url"], {
    action: "read the remote origin",
  });
  const found = new TextDecoder().decode(result.stdout).trim();
  if (repositoryOf(found, new URL(url)) === fullName(address).toLowerCase()) return;
  throw new UsageError(
    `Cannot use ${git.repoDir}: repository mismatch, expected ${fullName(address)}, found ${
      found === "" ? "no remote origin" : quote(redactUrls(found))
    }`,
    {
      code: "REPOSITORY_MISMATCH",
      hint: "nothing was changed there; remove it, or set another --target-dir",
    },
  );
}

/**
 * Returns the repository of a git host that a remote's address names, in lower case, for `https:`, `ssh:` and
 * `git@host:` addresses; `undefined` for another host.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { repositoryOf } from "./persistent_clone.ts";
 * const host = new URL("https://github.com");
 * assert.equal(repositoryOf("https://x:secret@github.com/Haidra-Org/models.git", host), "haidra-org/models");
 * assert.equal(repositoryOf("git@github.com:Haidra-Org/models.git", host), "haidra-org/models");
 * assert.equal(repositoryOf("ssh://git@github.com/Haidra-Org/models", host), "haidra-org/models");
 * assert.equal(repositoryOf("https://github.com.example/Haidra-Org/models", host), undefined);
 * ```
 */
export function repositoryOf(remote: string, host: URL): string | undefined {
  const short = /^(?:[^@/\s]+@)?([^:/\s]+):(?!\/\/)(.+)$/.exec(remote);
  const text = short === null ? remote : `ssh://${short[1]}/${short[2]}`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isSameHost = ["http:", "https:"].includes(url.protocol)
    ? url.host === host.host
    : url.hostname === host.hostname;
  if (!isSameHost) return undefined;
  const root = host.pathname.replace(/\/[^/]+\/[^/]+\.git$/, "").replace(/\/+$/, "");
  const path = url.pathname.startsWith(`${root}/`) ? url.pathname.slice(root.length) : url.pathname;
  const [, repository] = /^\/+([^/]+\/[^/]+?)(?:\.git)?\/*$/.exec(path) ?? [];
  return repository?.toLowerCase();
}

/** Refuses changes that the checkout would lose. Commits of other branches stay. */
async function refuseLocalChanges(git: Git, branch: string): Promise<void> {
  const action = `read the worktree of ${git.repoDir}`;
  const output = await git.bytes(
    ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all"],
    { action },
  );
  const status = parseStatus(new TextDecoder().decode(output));
  if (status.dirty.length > 0) {
    const shown = status.dirty.slice(0, FILES_SHOWN_MAX).map(quote).join(", ");
    const more = status.dirty.length > FILES_SHOWN_MAX
      ? ` and ${status.dirty.length - FILES_SHOWN_MAX} more`
      : "";
    throw localChanges(git, `it has changes of ${shown}${more}`);
  }
  const isDetached = status.head !== undefined && status.branch === undefined;
  const unpushed = await git.text(
    [
      "rev-list",
      "--count",
      "--ignore-missing",
      `refs/heads/${branch}`,
      ...(isDetached ? ["HEAD"] : []),
      "--not",
      "--remotes=origin",
    ],
    { action },
  );
  if (unpushed !== "0") throw localChanges(git, `it has unpushed commits: ${unpushed}`);
}

function localChanges(git: Git, what: string): UsageError {
  return new UsageError(`Cannot update the clone ${git.repoDir}: ${what}`, {
    code: "LOCAL_CHANGES",
    hint: "commit and push them, or stash them; --yes discards them",
  });
}
