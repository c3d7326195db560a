import { dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { AuthenticationError } from "../core/errors.ts";
import { removeIfThere } from "../core/files.ts";
import type { Sha256 } from "../core/hash.ts";
import { redactUrls } from "../core/secret.ts";
import { formatPointer, type LfsPointer } from "../release/lfs_pointer.ts";
import type { ProcessExit } from "../core/subprocess.ts";
import type { Git, GitOptions } from "./git.ts";
import { lfsMissing } from "./git_error.ts";
import { lfsError } from "./lfs_error.ts";
import type { ObjectId } from "./object_id.ts";
import type { Registry } from "./registry.ts";
import { isAnyInLfs } from "./stage_models.ts";
import { syncFiles } from "./sync_clone.ts";
import { listTree } from "./tree.ts";

/** GitHub refuses larger files outside Git LFS, and warns from half of it (docs.github.com, "About large files"). */
export const LARGE_FILE_BYTES_MAX = 100 * 1024 * 1024;
export const LARGE_FILE_BYTES_WARN = 50 * 1024 * 1024;

/** Whether git-lfs is installed. */
export async function hasLfs(registry: Registry): Promise<boolean> {
  const result = await registry.git.attempt(["lfs", "version"], { action: "look for git-lfs" });
  return result.code === 0;
}

/** Options of a git-lfs whose failures {@link lfsError} explains: its trace has the status of each answer. */
const TRACED: Pick<GitOptions, "env"> = { env: { GIT_TRACE: "1" } };

/**
 * Pushes the Git LFS files of the branch, before its commit: a commit must never name content that the registry does
 * not have. Attributes that keep models in Git LFS may stand in any folder above them, and in a user's clone outside
 * the repository.
 *
 * @param subdir the model folder in the repository
 * @throws {UsageError} code `LFS_MISSING`; what {@link lfsFailure} makes of a failure
 */
export async function pushLfs(registry: Registry, commit: ObjectId, subdir: string): Promise<void> {
  const models = await listTree(registry.git, commit, [`${subdir}/`]);
  if (!await isAnyInLfs(registry, models.map(({ path }) => path))) return;
  if (!await hasLfs(registry)) throw lfsMissing("models of this commit are kept in Git LFS");
  const { remote, branch } = registry.settings;
  const git = registry.git.with(TRACED);
  const action = `push Git LFS files to ${redactUrls(registry.remoteUrl.url)}`;
  const result = await git.attempt(["lfs", "push", remote, branch], {
    action,
    label: "git lfs push",
    transfer: true,
  });
  if (result.code !== 0) throw await lfsFailure(registry, git, action, result);
}

/** Yields the content of a file in Git LFS, fetched by git-lfs, whose own copy in a clone of ours is removed. */
export async function* readLfsContent(
  context: Context,
  registry: Registry,
  path: string,
  pointer: LfsPointer,
): AsyncGenerator<Uint8Array> {
  const action = `fetch ${path} from Git LFS`;
  const git = registry.git.with(TRACED).with({
    config: [`remote.lfsdefault=${registry.settings.remote}`],
    // Somebody may have set it for clones by hand.
    env: { GIT_LFS_SKIP_SMUDGE: "0" },
  });
  const process = git.start(["lfs", "smudge", "--", path], {
    action,
    label: "git lfs smudge",
    stdin: formatPointer(pointer),
  });
  yield* process.stdout;
  const exit = await process.exit;
  if (exit.code !== 0) throw await lfsFailure(registry, git, action, exit, path);
  if (registry.isOwn) removeIfThere(context.fs, lfsObjectPath(registry, pointer.sha256));
}

/**
 * Returns the error for a git-lfs that failed. After a refused login, a clone of ours forgets that the server wants one:
 * git-lfs notes it in the clone's configuration, and from then on does not send a request without credentials.
 *
 * @param path the file that was fetched; without it, files were pushed
 */
async function lfsFailure(
  registry: Registry,
  git: Git,
  action: string,
  exit: ProcessExit,
  path?: string,
): Promise<Error> {
  const error = lfsError(action, exit.stderr, git.error(action, exit), path);
  if (registry.isOwn && error instanceof AuthenticationError) await forgetAccess(registry);
  return error;
}

async function forgetAccess({ git }: Registry): Promise<void> {
  const call = { action: "read what git-lfs noted about the server" };
  const { stdout } = await git.attempt(
    ["config", "--local", "-z", "--name-only", "--get-regexp", "^lfs\\..*\\.access$"],
    call,
  );
  for (const key of new TextDecoder().decode(stdout).split("\0").filter((key) => key !== "")) {
    // Another file's failure may have removed it already.
    await git.attempt(["config", "--local", "--unset-all", key], call);
  }
}

/** Makes durable what Git LFS keeps of these files until they are pushed. */
export async function syncLfsObjects(
  context: Context,
  registry: Registry,
  digests: readonly Sha256[],
): Promise<void> {
  const paths = digests.map((sha256) => lfsObjectPath(registry, sha256));
  await syncFiles(context, dirname(registry.objectsDir), paths);
}

/** Where git-lfs keeps an object in a clone. */
function lfsObjectPath(registry: Registry, sha256: Sha256): string {
  return join(registry.objectsDir, "..", "lfs", "objects", sha256.slice(0, 2), sha256.slice(2, 4), sha256);
}
