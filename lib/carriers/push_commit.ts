import { settleAll } from "../core/concurrency.ts";
import type { Context } from "../core/context.ts";
import { FailedError } from "../core/errors.ts";
import { redactUrls } from "../core/secret.ts";
import { askPushHook } from "../git/ask_hooks.ts";
import { giveUpUnpushed } from "../git/branch.ts";
import { restoredPaths } from "../git/commit_models.ts";
import { isPushRace } from "../git/declined_push.ts";
import type { CallOptions, GitExit } from "../git/git.ts";
import { HOOK_REFUSED } from "../git/hooks.ts";
import { LFS_CONTENT_MISSING, type LfsContents, pushLfs } from "../git/lfs.ts";
import type { ObjectId } from "../git/object_id.ts";
import type { Registry } from "../git/registry.ts";
import { syncAfterPush, syncGitFolder } from "../git/sync_clone.ts";
import { keepPacks } from "../git/unpushed_packs.ts";
import type { PublisherPlace } from "./take_over_clone.ts";

/** A commit to push. */
interface PushedCommit {
  readonly commit: ObjectId;
  /** The commit of the remote branch before. */
  readonly tip: ObjectId | undefined;
  /** Whether the registry may lack the content of its files in Git LFS. */
  readonly contents: LfsContents;
  /** The size of the models that the registry lacks; `undefined` if it is not known. */
  readonly modelBytes: number | undefined;
  /** Called when git starts to push it. */
  readonly onSend?: (() => void) | undefined;
}

/**
 * With these settings, git sends a file as its difference from the one at the same path: of a manifest with 50,000 files,
 * 5 KB instead of 6.7 MB after a change of one. Git needs five times the size of the manifest for that.
 */
const DELTAS = { config: ["pack.window=2", `core.bigFileThreshold=${16 * 1024 * 1024}`] };

/** Models do not get smaller: for more of them, the search takes longer than sending the manifest whole. */
const DELTA_MODEL_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Pushes exactly this commit, after the pre-push hook and its files in Git LFS. Undoes a commit that the remote declines.
 *
 * @returns the error if the remote seems to have commits that the clone lacks, or if the commit's files in Git LFS are
 * lost: a new commit may be pushed
 */
export async function pushCommit(
  context: Context,
  registry: Registry,
  place: PublisherPlace,
  pushed: PushedCommit,
): Promise<Error | undefined> {
  const { commit, tip } = pushed;
  const { remote, branch } = registry.settings;
  const action = `push to ${redactUrls(registry.remoteUrl.url)}`;
  context.log.info(`pushing to ${registry.remoteBranch}`);
  await askHook(context, registry, place, commit, tip);
  const lost = await pushFiles(context, registry, place, pushed);
  if (lost !== undefined) return lost;
  const args = ["push", "--progress", "--porcelain", remote, `${commit}:refs/heads/${branch}`];
  pushed.onSend?.();
  // The push reads the clone, and changes only references in it.
  const [result] = await settleAll([
    send(registry, pushed, args, { action, transfer: true }),
    syncGitFolder(context, registry),
  ]);
  if (result.code === 0) {
    keepPacks(context, registry);
    const sync = await registry.repack() ? syncGitFolder : syncAfterPush;
    return void await sync(context, registry);
  }
  const report = new TextDecoder().decode(result.stdout);
  const error = registry.remoteError(action, {
    code: result.code,
    stderr: `${result.stderr}\n${rejections(report)}`,
  });
  if (isPushRace(`${result.stderr}\n${report}`)) return error;
  if (/^!.*\[remote rejected\]/m.test(report)) await giveUpUnpushed(context, registry, tip);
  throw error;
}

/** What git says if a remote cannot store what it got. */
const REMOTE_UNPACK_FAILED = /^error: remote unpack failed/m;

/** Sends files whole if the remote cannot apply a difference: it may have lost the last manifest, which this push replaces. */
async function send(
  registry: Registry,
  pushed: PushedCommit,
  args: readonly string[],
  call: CallOptions,
): Promise<GitExit & { readonly stdout: Uint8Array }> {
  if (sendsDeltas(registry, pushed)) {
    const result = await registry.git.with(DELTAS).attempt(args, call);
    if (!REMOTE_UNPACK_FAILED.test(result.stderr)) return result;
  }
  return await registry.git.attempt(args, call);
}

/** On this disk, the registry takes longer to apply a difference than to read a file. */
function sendsDeltas({ remoteUrl }: Registry, { tip, modelBytes }: PushedCommit): boolean {
  return !remoteUrl.isLocal && tip !== undefined && modelBytes !== undefined &&
    modelBytes <= DELTA_MODEL_BYTES_MAX;
}

/** Asks the pre-push hook. Undoes a refused commit: otherwise the next publish would build on it and be refused, too. */
async function askHook(
  context: Context,
  registry: Registry,
  place: PublisherPlace,
  commit: ObjectId,
  tip: ObjectId | undefined,
): Promise<void> {
  const paths = restoredPaths(registry, place);
  try {
    await askPushHook(context, registry, { commit, tip, paths });
  } catch (error) {
    if (error instanceof FailedError && error.code === HOOK_REFUSED) {
      await giveUpUnpushed(context, registry, tip);
    }
    throw error;
  }
}

/** Pushes the files in Git LFS. Undoes a commit of a killed run whose files are lost, and returns the error. */
async function pushFiles(
  context: Context,
  registry: Registry,
  { subdir }: PublisherPlace,
  { commit, tip, contents }: PushedCommit,
): Promise<Error | undefined> {
  try {
    await pushLfs(registry, commit, subdir, contents);
    return undefined;
  } catch (error) {
    if (!(error instanceof FailedError) || error.code !== LFS_CONTENT_MISSING) throw error;
    await giveUpUnpushed(context, registry, tip);
    return error;
  }
}

/** Returns the rejections of git's report as lines of errors. */
function rejections(report: string): string {
  return report.split("\n").filter((line) => line.startsWith("!"))
    .map((line) => `error: ${line.slice(2).replaceAll("\t", " ")}`)
    .join("\n");
}
