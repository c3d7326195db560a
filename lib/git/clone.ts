import { basename, dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { DiskError, diskError, ModelSyncError, UsageError } from "../core/errors.ts";
import { findEntry, ifFound, removeTree, syncFolder } from "../core/files.ts";
import { oneLine } from "../core/quote.ts";
import { redactUrls } from "../core/secret.ts";
import type { ObjectFormat } from "./object_id.ts";
import { CloneDamagedError } from "./clone_damage.ts";
import { type CloneFacts, looksOwn, readFacts } from "./clone_facts.ts";
import { copyTree } from "./copy_files.ts";
import { Git } from "./git.ts";
import { splitLogin } from "./remote_url.ts";
import { type CloneKind, isPrivateConfig, ownEntries, writeOwnConfig } from "./own_config.ts";
import type { RegistrySettings } from "./registry_settings.ts";
import { strictUmask } from "./strict_umask.ts";
import { syncNewClone } from "./sync_clone.ts";

/** How a run opens the clone. */
export interface CloneUse {
  readonly kind: CloneKind;
  /** Folder for a temporary clone, if a run that must not change anything finds the clone missing or damaged. */
  readonly scratch: string | undefined;
  /** Damage found by an earlier attempt: a clone of our own is recreated. */
  readonly damage: string | undefined;
  /** The registry's object format, if it is known. */
  readonly format: ObjectFormat | undefined;
  /** Throws if a registry cannot be reached. */
  readonly reach: (url: string) => Promise<void>;
  /** Keeps other runs out of a clone while it is replaced. */
  readonly lock: (gitDir: string) => Promise<Disposable>;
}

export interface OpenedClone {
  readonly git: Git;
  readonly facts: CloneFacts;
  /** Why a run that changes nothing uses a temporary clone instead of the clone of our own. */
  readonly setAside?: string;
}

/** Why a clone cannot be used unchanged, with the data to fix it. */
type Obstacle =
  | { readonly kind: "missing" }
  /** A clone of our own, with its registry's address if that is readable. */
  | { readonly kind: "damaged"; readonly reason: string; readonly url: string | undefined }
  /** A clone of our own, of another registry than `repo_url`. */
  | { readonly kind: "moved"; readonly url: string }
  /** A clone of our own without files, but files are needed. */
  | { readonly kind: "blobless"; readonly url: string }
  /** A clone of our own with another object format than the registry. */
  | { readonly kind: "misnamed"; readonly url: string }
  /** A clone of our own with a configuration that other programs changed. */
  | { readonly kind: "configured"; readonly opened: OpenedClone; readonly url: string };

type Found = { readonly kind: "usable"; readonly opened: OpenedClone } | Obstacle;

/**
 * Opens the clone, or creates it. A clone of our own is recreated if it is damaged, if `repo_url` names another
 * registry, or if it lacks files that are needed.
 *
 * @throws {CloneDamagedError} a user's clone is damaged, or the address of one of our own is lost
 */
export async function openClone(
  context: Context,
  settings: RegistrySettings,
  use: CloneUse,
): Promise<OpenedClone> {
  const found = await findClone(context, settings, use);
  if (found.kind === "usable") return found.opened;
  if (found.kind === "missing" && settings.repoUrl === undefined) throw missingClone(settings.repoDir);
  if (use.scratch !== undefined) {
    return await openUnchanged(context, { ...settings, repoDir: join(use.scratch, "clone") }, use, found);
  }
  const gitDir = join(settings.repoDir, ".git");
  const hasGitDir = ifFound(() => context.fs.statSync(gitDir))?.isDirectory === true;
  using _lock = hasGitDir ? await use.lock(gitDir) : undefined;
  // Another run may have fixed it while this one waited for the lock.
  return await overcome(context, settings, use, hasGitDir ? await findClone(context, settings, use) : found);
}

/** Returns the clone for a run that changes nothing. */
async function openUnchanged(
  context: Context,
  scratch: RegistrySettings,
  use: CloneUse,
  obstacle: Obstacle,
): Promise<OpenedClone> {
  switch (obstacle.kind) {
    case "missing":
    case "moved":
    case "blobless":
      return await makeClone(context, scratch, use);
    case "misnamed":
      return await makeClone(context, { ...scratch, repoUrl: obstacle.url }, use);
    case "damaged": {
      const made = await makeClone(
        context,
        { ...scratch, repoUrl: scratch.repoUrl ?? obstacle.url },
        use,
      );
      return { ...made, setAside: `it is damaged: ${oneLine(obstacle.reason)}` };
    }
    case "configured": {
      // Settings of earlier versions do no harm to a run that checks the history first.
      const { foreignKeys } = obstacle.opened.facts;
      if (foreignKeys.length === 0) return obstacle.opened;
      const made = await makeClone(context, { ...scratch, repoUrl: obstacle.url }, use);
      return { ...made, setAside: `its configuration sets ${oneLine(foreignKeys.join(", "))}` };
    }
  }
}

async function findClone(context: Context, settings: RegistrySettings, use: CloneUse): Promise<Found> {
  if (isMissing(context, settings)) return { kind: "missing" };
  const git = new Git(context, settings);
  try {
    const facts = await readFacts(context, git, settings);
    const opened = { git, facts };
    if (!facts.isOwn) {
      if (settings.isInStore !== true || facts.configuredUrl !== undefined) return { kind: "usable", opened };
      return { kind: "damaged", reason: "its configuration names no remote", url: undefined };
    }
    return judgeOwn(context, opened, settings, use);
  } catch (error) {
    if (!isDamage(error) || !looksOwn(context, settings)) throw named(error, settings.repoDir);
    const reason = error instanceof CloneDamagedError ? error.damage : reasonOf(error);
    return { kind: "damaged", reason, url: undefined };
  }
}

function judgeOwn(context: Context, opened: OpenedClone, settings: RegistrySettings, use: CloneUse): Found {
  const { facts } = opened;
  const { repoUrl, remote } = settings;
  const isLost = facts.configuredUrl === undefined &&
    !facts.entries.some(({ key }) => /^remote\..*\.url$/s.test(key));
  if (isLost) return { kind: "damaged", reason: "its configuration names no remote", url: undefined };
  const url = facts.configuredUrl;
  if (use.damage !== undefined) return { kind: "damaged", reason: use.damage, url };
  if (url === undefined) return { kind: "usable", opened };
  if (use.format !== undefined && use.format !== facts.format) {
    return { kind: "misnamed", url: repoUrl ?? url };
  }
  if (repoUrl !== undefined && repoUrl !== splitLogin(url).url) return { kind: "moved", url: repoUrl };
  // A login in `repo_url`, now or before, is removed from the clone.
  const own = repoUrl ?? url;
  if (use.kind === "whole" && facts.kind === "blobless") return { kind: "blobless", url: own };
  const wanted = ownEntries(remote, own, facts.kind);
  const isOurs = facts.foreignKeys.length === 0 &&
    !facts.isLazy &&
    isPrivateConfig(context, facts.gitDir) &&
    wanted.every(({ key, value }) => facts.entries.findLast((entry) => entry.key === key)?.value === value);
  return isOurs ? { kind: "usable", opened } : { kind: "configured", opened, url: own };
}

async function overcome(
  context: Context,
  settings: RegistrySettings,
  use: CloneUse,
  found: Found,
): Promise<OpenedClone> {
  const { repoDir, repoUrl, remote } = settings;
  switch (found.kind) {
    case "usable":
      return found.opened;
    case "missing":
      return await makeClone(context, settings, use);
    case "misnamed":
      context.log.debug(`the registry uses the object format ${use.format}: cloning it again`);
      return await makeClone(context, { ...settings, repoUrl: found.url }, use);
    case "moved":
      // A mistyped address must not destroy the clone.
      await use.reach(found.url);
      context.log.info(`model_sync.repo_url changed: cloning ${redactUrls(found.url)}`);
      return await makeClone(context, settings, use);
    case "blobless":
      await use.reach(found.url);
      context.log.info(`cloning ${redactUrls(found.url)} again: the clone in ${repoDir} has no files`);
      return await makeClone(context, { ...settings, repoUrl: found.url }, use);
    case "damaged": {
      const url = repoUrl ?? found.url;
      if (url === undefined) throw new CloneDamagedError(repoDir, found.reason);
      context.log.warn(`${repoDir} is damaged (${oneLine(found.reason)}); cloning it again`);
      return await makeClone(context, { ...settings, repoUrl: url }, use);
    }
    case "configured": {
      const { facts, git } = found.opened;
      if (facts.foreignKeys.length > 0) {
        const keys = oneLine(facts.foreignKeys.join(", "));
        context.log.warn(
          `removed ${keys} from the configuration of ${repoDir}: model-sync manages this clone; ` +
            "set it in your global git configuration",
        );
      }
      writeOwnConfig(context, facts.gitDir, facts.entries, ownEntries(remote, found.url, facts.kind));
      return { git, facts: await readFacts(context, git, settings) };
    }
  }
}

/** Whether the clone is missing, or an empty folder. */
function isMissing({ fs }: Context, { repoDir, repoUrl }: RegistrySettings): boolean {
  const entry = ifFound(() => fs.statSync(repoDir));
  if (entry === undefined) return true;
  return entry.isDirectory && repoUrl !== undefined &&
    fs.readDirSync(repoDir)[Symbol.iterator]().next().done === true;
}

/** Whether an error means that the clone is damaged, and not a missing permission or program. */
function isDamage(error: unknown): boolean {
  if (error instanceof CloneDamagedError) return true;
  return error instanceof ModelSyncError &&
    ["REPO_INVALID", "GIT_FAILED", "GIT_DAMAGED"].includes(error.code);
}

/** Returns damage of a user's clone as a {@link CloneDamagedError}, other errors unchanged. */
function named(error: unknown, repoDir: string): unknown {
  const isDamaged = error instanceof ModelSyncError && ["GIT_FAILED", "GIT_DAMAGED"].includes(error.code);
  return isDamaged ? new CloneDamagedError(repoDir, reasonOf(error), error) : error;
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.slice(text.indexOf(": ") + 2);
}

function outdatedClone(repoDir: string): string {
  return join(dirname(repoDir), `.${basename(repoDir)}.old`);
}

/** Removes the old clone that a run left when it was killed while replacing it. Called under the clone's lock. */
export async function sweepOutdated({ fs }: Context, repoDir: string): Promise<void> {
  const outdated = outdatedClone(ifFound(() => fs.realPathSync(repoDir)) ?? repoDir);
  if (findEntry(fs, outdated) !== undefined) await removeTree(fs, outdated);
}

function missingClone(repoDir: string): UsageError {
  return new UsageError(`Cannot open the models repository ${repoDir}: it does not exist`, {
    code: "REPO_MISSING",
    hint: "clone it there, or set model_sync.repo_url: model-sync then clones it",
  });
}

/** Creates an empty clone, and replaces what exists at its path. */
async function makeClone(
  context: Context,
  settings: RegistrySettings,
  { kind, format = "sha1" }: Pick<CloneUse, "kind" | "format">,
): Promise<OpenedClone> {
  const { fs } = context;
  const { repoUrl } = settings;
  if (repoUrl === undefined) throw missingClone(settings.repoDir);
  // A symbolic link to another disk is kept.
  const repoDir = ifFound(() => fs.realPathSync(settings.repoDir)) ?? settings.repoDir;
  // Created beside its path and moved there complete: a killed run leaves no incomplete repository.
  const parent = dirname(repoDir);
  const temporary = join(parent, `.${basename(repoDir)}.new`);
  try {
    fs.mkdirSync(parent, { recursive: true });
    await removeTree(fs, outdatedClone(repoDir));
    await removeTree(fs, temporary);
    fs.mkdirSync(temporary);
    const umask = strictUmask(fs, temporary);
    const git = new Git(context, { ...settings, repoDir: temporary, umask });
    // Templates may hold hooks.
    await git.bytes([
      "init",
      "--quiet",
      "--template=",
      `--object-format=${format}`,
      `--initial-branch=${settings.branch}`,
    ], {
      action: `create a clone in ${repoDir}`,
    });
    const { gitDir, entries } = await readFacts(context, git, { ...settings, repoDir: temporary });
    writeOwnConfig(context, gitDir, entries, ownEntries(settings.remote, repoUrl, kind));
    // A hook that refuses publishes must not vanish in the run that it judges.
    await copyTree(context, join(repoDir, ".git/hooks"), join(gitDir, "hooks"));
    await syncNewClone(context, temporary);
    // The old clone is moved away before it is deleted, so that a killed run leaves no incomplete repository in its
    // place.
    if (findEntry(fs, repoDir) !== undefined) fs.renameSync(repoDir, outdatedClone(repoDir));
    fs.renameSync(temporary, repoDir);
    syncFolder(fs, parent);
    await removeTree(fs, outdatedClone(repoDir));
  } catch (error) {
    throw error instanceof DiskError ? error : diskError(error, `create a clone in ${repoDir}`);
  }
  const git = new Git(context, settings);
  return { git, facts: await readFacts(context, git, settings) };
}

/** The next step where a bare repository is configured as the clone. */
export const USE_AS_REGISTRY =
  "set model_sync.repo_url to it, and model_sync.repo_dir to a new folder for a clone";

/** Returns the remote's URL as git resolves it. */
export async function askRemoteUrl(
  git: Git,
  settings: RegistrySettings,
  { isBare }: Pick<CloneFacts, "isBare">,
): Promise<string> {
  const { remote, repoDir } = settings;
  const result = await git.attempt(["remote", "get-url", remote], { action: `read the remote ${remote}` });
  if (result.code === 0) return new TextDecoder().decode(result.stdout).trimEnd();
  const remotes = await git.text(["remote"], { action: "list the remotes" });
  throw new UsageError(`Cannot use the remote "${remote}" of ${repoDir}: there is no such remote`, {
    code: "REMOTE_MISSING",
    hint: remoteHint(settings, remotes === "" ? [] : remotes.split("\n"), isBare),
  });
}

function remoteHint(
  { remote, repoDir }: RegistrySettings,
  remotes: readonly string[],
  isBare: boolean,
): string {
  if (remotes.length > 0) return `it has: ${remotes.join(", ")}; set model_sync.remote or --remote`;
  // A bare repository without a remote is a registry, not a clone of one.
  return isBare ? USE_AS_REGISTRY : `add it: git -C ${repoDir} remote add ${remote} <url>`;
}
