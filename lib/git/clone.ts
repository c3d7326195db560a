import { basename, dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { diskError, UsageError } from "../core/errors.ts";
import { ifFound, removeIfThere, removeTree, replaceFile } from "../core/files.ts";
import { redactUrls } from "../core/secret.ts";
import { Git } from "./git.ts";
import type { RegistrySettings } from "./registry.ts";

/**
 * How a clone of our own is made. `blobless`: for pulling, files are fetched by name and only when the store does not
 * hold them. `whole`: for publishing, which has a worktree.
 */
export type CloneKind = "blobless" | "whole";

/** What a clone is, before it is worked with. */
export interface CloneFacts {
  readonly gitDir: string;
  /** Where its objects are: in another folder for a linked worktree. */
  readonly objectsDir: string;
  readonly isBare: boolean;
  /** Made by this program: its upkeep is its business, and nobody works in it. */
  readonly isOwn: boolean;
  /** Objects may be missing, to be fetched when needed. */
  readonly isPartial: boolean;
  /** As it stands in the configuration; `undefined` when there is none, or several. */
  readonly configuredUrl: string | undefined;
  /** As git uses it; `undefined` when git has to be asked, because URLs are rewritten. */
  readonly remoteUrl: string | undefined;
}

/** Marks clones that this program made. */
const OWN_MARK = "model-sync.own";

/** How a clone is opened. */
export interface CloneUse {
  readonly kind: CloneKind;
  /** Where a run that may change nothing makes a clone that is missing, to try it out. */
  readonly scratch: string | undefined;
  /** Throws if a registry cannot be reached. */
  readonly reach: (url: string) => Promise<void>;
}

/** Finds the clone, or makes it. One of our own whose `repo_url` moved on to another registry is made anew. */
export async function openClone(
  context: Context,
  settings: RegistrySettings,
  use: CloneUse,
): Promise<{ readonly git: Git; readonly facts: CloneFacts }> {
  const { repoUrl, repoDir, remote } = settings;
  if (!isMissing(context, settings)) {
    const git = new Git(context, settings);
    const facts = await readFacts(git, remote);
    if (
      !facts.isOwn || repoUrl === undefined || facts.configuredUrl === undefined ||
      facts.configuredUrl === repoUrl
    ) {
      return { git, facts };
    }
    if (use.scratch === undefined) {
      // A mistyped address must not cost the clone.
      await use.reach(repoUrl);
      context.log.info(`model_sync.repo_url changed: cloning ${redactUrls(repoUrl)} anew`);
      // Moved away whole: a run that is killed while it removes leaves no half of a repository in its place.
      context.fs.renameSync(repoDir, outdatedClone(repoDir));
    }
  }
  const made = use.scratch === undefined ? settings : { ...settings, repoDir: join(use.scratch, "clone") };
  await makeClone(context, made, use.kind);
  const git = new Git(context, made);
  return { git, facts: await readFacts(git, remote) };
}

/** Whether a clone has to be made: nothing is there, or an empty folder. */
function isMissing({ fs }: Context, { repoDir, repoUrl }: RegistrySettings): boolean {
  const entry = ifFound(() => fs.statSync(repoDir));
  if (entry === undefined) return true;
  return entry.isDirectory && repoUrl !== undefined &&
    fs.readDirSync(repoDir)[Symbol.iterator]().next().done === true;
}

function outdatedClone(repoDir: string): string {
  return join(dirname(repoDir), `.${basename(repoDir)}.old`);
}

async function makeClone(context: Context, settings: RegistrySettings, kind: CloneKind): Promise<void> {
  const { fs } = context;
  const { repoDir, repoUrl } = settings;
  if (repoUrl === undefined) {
    throw new UsageError(`Cannot open the models repository ${repoDir}: it does not exist`, {
      code: "REPO_MISSING",
      hint: "clone it there, or set model_sync.repo_url and it is cloned for you",
    });
  }
  // Made beside its place and moved there whole: a killed run leaves no half of a repository.
  const parent = dirname(repoDir);
  const temporary = join(parent, `.${basename(repoDir)}.new`);
  try {
    fs.mkdirSync(parent, { recursive: true });
    await removeTree(fs, outdatedClone(repoDir));
    await removeTree(fs, temporary);
    fs.mkdirSync(temporary);
    const git = new Git(context, { ...settings, repoDir: temporary });
    await git.bytes(["init", "--quiet", `--initial-branch=${settings.branch}`], {
      action: `make a clone in ${repoDir}`,
    });
    const config = join(temporary, ".git", "config");
    replaceFile(fs, config, fs.readTextFileSync(config) + ownConfig(settings.remote, repoUrl, kind));
    removeIfThere(fs, repoDir);
    fs.renameSync(temporary, repoDir);
  } catch (error) {
    throw diskError(error, `make a clone in ${repoDir}`);
  }
}

/** What a clone of our own always says, also to a git that somebody runs in it by hand. */
function ownConfig(remote: string, url: string, kind: CloneKind): string {
  return [
    "[model-sync]",
    "\town = true",
    "[core]",
    "\tcompression = 0",
    "\tbigFileThreshold = 8m",
    "\tautocrlf = false",
    "[gc]",
    "\tauto = 0",
    `[remote ${quoteValue(remote)}]`,
    `\turl = ${quoteValue(url)}`,
    `\tfetch = ${quoteValue(`+refs/heads/*:refs/remotes/${remote}/*`)}`,
    "\ttagOpt = --no-tags",
    ...(kind === "blobless" ? ["\tpromisor = true", "\tpartialclonefilter = blob:none"] : []),
    "",
  ].join("\n");
}

/** A value as git-config(1) reads it, whatever characters it holds. */
function quoteValue(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}

async function readFacts(git: Git, remote: string): Promise<CloneFacts> {
  const [result, config] = await Promise.all([
    git.attempt(
      ["rev-parse", "--path-format=absolute", "--git-dir", "--git-path", "objects", "--is-bare-repository"],
      { action: `open the models repository ${git.repoDir}` },
    ),
    git.attempt(["config", "--get-regexp", `^(${OWN_MARK}|remote\\..*|url\\..*)$`], {
      action: "read the clone's configuration",
    }),
  ]);
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
  const lines = new TextDecoder().decode(config.stdout).split("\n");
  const urls = lines.filter((line) => line.startsWith(`remote.${remote}.url `));
  const configuredUrl = urls.length === 1 ? urls[0]?.slice(`remote.${remote}.url `.length) : undefined;
  const isRewritten = lines.some((line) => line.startsWith("url."));
  return {
    gitDir,
    objectsDir,
    isBare: isBare === "true",
    isOwn: lines.includes(`${OWN_MARK} true`),
    isPartial: lines.includes(`remote.${remote}.promisor true`),
    configuredUrl,
    remoteUrl: isRewritten ? undefined : configuredUrl,
  };
}

/** The remote's URL as git itself resolves it. @throws {UsageError} code `REMOTE_MISSING` */
export async function askRemoteUrl(git: Git, settings: RegistrySettings): Promise<string> {
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
