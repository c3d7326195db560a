import { dirname, join } from "node:path";
import { readListed } from "../core/changed_file.ts";
import type { Context } from "../core/context.ts";
import { AuthenticationError, FailedError } from "../core/errors.ts";
import { findEntry, removeIfThere } from "../core/files.ts";
import { copyAndHash, hashFile, type Sha256 } from "../core/hash.ts";
import { redactUrls } from "../core/secret.ts";
import { formatPointer, type LfsPointer } from "../release/lfs_pointer.ts";
import type { ReleaseFile } from "../release/manifest.ts";
import type { SetFile } from "../release/model_set.ts";
import type { ProcessExit } from "../core/subprocess.ts";
import { moveFile } from "./copy_files.ts";
import type { Git, GitOptions } from "./git.ts";
import { lfsMissing } from "./git_error.ts";
import type { ObjectId } from "./object_id.ts";
import { entryOf, readAgain } from "./read_again.ts";
import type { Registry } from "./registry.ts";
import { isAnyInLfs } from "./stage_models.ts";
import { syncFiles } from "./sync_clone.ts";
import { listTree } from "./tree.ts";

/**
 * GitHub rejects larger files outside Git LFS, and warns from half of this size (docs.github.com, "About large files").
 */
export const LARGE_FILE_BYTES_MAX = 100 * 1024 * 1024;
export const LARGE_FILE_BYTES_WARN = 50 * 1024 * 1024;

/** Whether git-lfs is installed. */
export async function hasLfs(registry: Registry): Promise<boolean> {
  const result = await registry.git.attempt(["lfs", "version"], { action: "check for git-lfs" });
  return result.code === 0;
}

/** Loaded only for a transfer: a pull without one starts faster without it. */
async function openTrace(action: string) {
  const { LfsTrace } = await import("./lfs_trace.ts");
  return new LfsTrace(action);
}

/** Options for git-lfs calls: {@link lfsError} reads the status of each answer from the trace. */
const TRACED: Pick<GitOptions, "env"> = { env: { GIT_TRACE: "1" } };

/**
 * Pushes the branch's Git LFS files before its commit: a commit must never name content that the registry does not
 * have. The attributes may be in any folder above the models, and in a user's clone outside the repository.
 *
 * @param subdir the model folder in the repository
 * @param contents `pushed`: the new commit names only files that earlier commits of the registry name, too. The clone
 * may lack their content
 * @throws {UsageError} code `LFS_MISSING`; {@link FailedError} code `LFS_CONTENT_MISSING`; {@link lfsFailure}
 */
export async function pushLfs(
  registry: Registry,
  commit: ObjectId,
  subdir: string,
  contents: LfsContents,
): Promise<void> {
  if (contents === "none") return;
  const models = await listTree(registry.git, commit, [`${subdir}/`]);
  if (!await isAnyInLfs(registry, models.map(({ path }) => path))) return;
  if (!await hasLfs(registry)) throw lfsMissing("models of this commit are kept in Git LFS");
  const { remote, branch } = registry.settings;
  const git = registry.git.with(TRACED).with({
    // A registry on this machine does not say which files it has.
    config: contents === "pushed" ? ["lfs.allowincompletepush=true"] : [],
  });
  const action = `push Git LFS files to ${redactUrls(registry.remoteUrl.url)}`;
  const trace = await openTrace(action);
  const result = await git.attempt(["lfs", "push", remote, branch], {
    action,
    watch: (text) => trace.read(text),
    label: "git lfs push",
    transfer: true,
  });
  if (result.code === 0) return;
  const missing = /^ *\(missing\) (.+) \([0-9a-f]{64}\)$/m.exec(new TextDecoder().decode(result.stdout))?.[1];
  throw missing === undefined
    ? await lfsFailure(registry, git, action, result)
    : contentMissing(action, missing);
}

/**
 * Whether the registry may lack the content of files in Git LFS that the pushed commits name: `new`, or not: `pushed`.
 * `none`: their changes name no file in Git LFS.
 */
export type LfsContents = "new" | "pushed" | "none";

/** The code of a push of files whose content the clone lacks. */
export const LFS_CONTENT_MISSING = "LFS_CONTENT_MISSING";

function contentMissing(action: string, path: string): FailedError {
  return new FailedError(
    `Cannot ${action}: the clone does not have the content of ${path} in an unpushed commit`,
    { code: LFS_CONTENT_MISSING, hint: "run git lfs fetch --all in the clone, and then this command again" },
  );
}

/** Yields a file's content from Git LFS. In a clone of our own, git-lfs's copy is deleted afterwards. */
export async function* readLfsContent(
  context: Context,
  registry: Registry,
  path: string,
  pointer: LfsPointer,
): AsyncGenerator<Uint8Array> {
  const action = `fetch ${path} from Git LFS`;
  const git = registry.git.with(TRACED).with({
    config: [`remote.lfsdefault=${registry.settings.remote}`],
    // The user may have set this variable for manual clones.
    env: { GIT_LFS_SKIP_SMUDGE: "0" },
  });
  const trace = await openTrace(action);
  const process = git.start(["lfs", "smudge", "--", path], {
    action,
    watch: (text) => trace.read(text),
    label: "git lfs smudge",
    stdin: formatPointer(pointer),
  });
  yield* process.stdout;
  const exit = await process.exit;
  if (exit.code !== 0) throw await lfsFailure(registry, git, action, exit, path);
  if (registry.isOwn) {
    removeIfThere(
      context.fs,
      lfsObjectPath(join(dirname(registry.objectsDir), "lfs", "objects"), pointer.sha256),
    );
  }
}

/**
 * Returns the error for a failed git-lfs. After a rejected login, removes git-lfs's note from the configuration of a
 * clone of our own: with it, git-lfs sends no requests without credentials.
 *
 * @param path the fetched file; without it, the call pushed files
 */
async function lfsFailure(
  registry: Registry,
  git: Git,
  action: string,
  exit: ProcessExit,
  path?: string,
): Promise<Error> {
  const { lfsError } = await import("./lfs_error.ts");
  const error = git.explain(lfsError(action, exit.stderr, git.error(action, exit), path));
  if (registry.isOwn && error instanceof AuthenticationError) await forgetAccess(registry);
  return error;
}

async function forgetAccess({ git }: Registry): Promise<void> {
  const call = { action: "read git-lfs's notes about the server" };
  const { stdout } = await git.attempt(
    ["config", "--local", "-z", "--name-only", "--get-regexp", "^lfs\\..*\\.access$"],
    call,
  );
  for (const key of new TextDecoder().decode(stdout).split("\0").filter((key) => key !== "")) {
    // The failure of another file may have removed it already.
    await git.attempt(["config", "--local", "--unset-all", key], call);
  }
}

/** Returns the folder in which git-lfs stores objects until they are pushed; `lfs.storage` may name another place. */
export async function findLfsFolder(registry: Registry): Promise<string> {
  const env = await registry.git.text(["lfs", "env"], { action: "look for git-lfs's folder of objects" });
  return /^LocalMediaDir=(.+)$/m.exec(env)?.[1] ?? join(dirname(registry.objectsDir), "lfs", "objects");
}

/**
 * Copies a model into git-lfs's folder of objects, unless it is there intact, and returns its entry in the manifest.
 *
 * @param folder as {@link findLfsFolder} returns it
 * @param temporary a path on the clone's file system
 * @throws {FailedError} code `MODELS_CHANGING` when it changed since the scan
 */
export async function storeLfsObject(
  { fs, signal }: Pick<Context, "fs" | "signal">,
  folder: string,
  temporary: string,
  file: SetFile,
  onBytes: (bytes: number) => void,
): Promise<ReleaseFile> {
  const path = lfsObjectPath(folder, file.sha256);
  const options = { signal, isForManifest: true, onBytes: (piece: Uint8Array) => onBytes(piece.length) };
  if (await isIntact({ fs, signal }, path, file)) return await readAgain({ fs, signal }, file, options);
  removeIfThere(fs, temporary);
  const digest = await readListed(fs, file, () => copyAndHash(fs, file.location, temporary, options));
  const release = entryOf(file, digest);
  fs.mkdirSync(dirname(path), { recursive: true });
  // `lfs.storage` may be on another disk. Git-lfs removes old files from this folder.
  const parts = join(dirname(folder), "tmp");
  fs.mkdirSync(parts, { recursive: true });
  await moveFile({ fs, signal }, temporary, path, join(parts, "model-sync-"));
  return release;
}

/** Whether an object has its content: a power cut may leave one of the right size with other bytes. */
async function isIntact(
  { fs, signal }: Pick<Context, "fs" | "signal">,
  path: string,
  { size, sha256 }: SetFile,
): Promise<boolean> {
  const info = findEntry(fs, path);
  if (info?.isFile !== true || info.size !== size) return false;
  return (await hashFile(fs, path, { signal })).sha256 === sha256;
}

/** Syncs the objects of files to the disk. */
export async function syncLfsObjects(
  context: Context,
  folder: string,
  digests: readonly Sha256[],
): Promise<void> {
  await syncFiles(context, dirname(folder), digests.map((sha256) => lfsObjectPath(folder, sha256)));
}

function lfsObjectPath(folder: string, sha256: Sha256): string {
  return join(folder, sha256.slice(0, 2), sha256.slice(2, 4), sha256);
}
