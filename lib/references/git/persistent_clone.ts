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

/** A clone that is kept from run to run. */
export interface PersistentClone {
  readonly address: RepositoryAddress;
  readonly url: string;
  /** Whether changes of the worktree and commits that were never pushed may be given up. */
  readonly discardLocalChanges: boolean;
}

/** As many changed files as a message lists. */
const FILES_SHOWN_MAX = 10;

/**
 * Clones a repository with its history, or brings a clone that is there to the newest commit of the base branch, which
 * is checked out.
 *
 * @throws {UsageError} code `CLONE_INVALID` it is no clone, `REPOSITORY_MISMATCH` it is one of something else,
 * `LOCAL_CHANGES` it has changes that may not be discarded
 */
export async function openPersistentClone(
  context: Context,
  git: Git,
  { address, url, discardLocalChanges }: PersistentClone,
): Promise<ObjectId> {
  const { branch } = address;
  const remoteBranch = `refs/remotes/origin/${branch}`;
  const call = { action: `bring the clone ${git.repoDir} up to date`, transfer: true };
  const isNew = context.fs.readDirSync(git.repoDir)[Symbol.iterator]().next().done === true;
  if (isNew) {
    // Git makes what is inside with the umask, which may let everybody write it.
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
      hint: "remove it, or set another --target-dir; clones are made there as <owner>/<name>",
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
 * Which repository of a git host a remote's address names, in small letters, for `https:`, `ssh:` and `git@host:`
 * addresses; `undefined` when it is on another host.
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

/** Only what the checkout would cost counts: commits of other branches stay where they are. */
async function refuseLocalChanges(git: Git, branch: string): Promise<void> {
  const action = `look at the worktree of ${git.repoDir}`;
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
    throw localChanges(git, `${shown}${more} changed there`);
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
  if (unpushed !== "0") throw localChanges(git, `commits there were never pushed: ${unpushed}`);
}

function localChanges(git: Git, what: string): UsageError {
  return new UsageError(`Cannot bring the clone ${git.repoDir} up to date: ${what}`, {
    code: "LOCAL_CHANGES",
    hint: "commit and push them, or stash them; --yes discards them",
  });
}
