import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { removeTree } from "../core/files.ts";
import type { LockOwner } from "../core/lock.ts";
import { redactUrls } from "../core/secret.ts";
import { removeForeignAttributes } from "./attributes.ts";
import { askRemoteUrl, openClone, sweepOutdated, USE_AS_REGISTRY } from "./clone.ts";
import type { CloneFacts } from "./clone_facts.ts";
import { lockClone, removeStaleLocks } from "./clone_locks.ts";
import { Git } from "./git.ts";
import { OWN_GIT, PLAIN_GIT } from "./git_options.ts";
import type { ObjectFormat } from "./object_id.ts";
import type { CloneKind } from "./own_config.ts";
import { type RegistrySettings, withoutLogin } from "./registry_settings.ts";
import { remoteAccess, type SignInAtOnce } from "./remote_access.ts";
import { parseRemoteUrl, type RemoteUrl } from "./remote_url.ts";
import { strictUmask } from "./strict_umask.ts";

/** A run's requirements for the registry. */
export type RegistryUse =
  & {
    /** The kind of clone to create if there is none. A clone of our own is recreated if it is `blobless` and must be `whole`. */
    readonly clone: CloneKind;
    /**
     * The run commits in the worktree, or a dry run shows what it would do, so a bare repository is refused. Git runs no hooks by itself: the commit must
     * contain exactly the bytes that were hashed.
     */
    readonly isPublish?: boolean;
    /** Damage found by an earlier attempt: a clone of our own is recreated. */
    readonly damage?: string;
    /** The registry's object format: a clone of our own with another one is recreated. */
    readonly format?: ObjectFormat;
  }
  & (
    | {
      /** Locks the clone for this run. */
      readonly owner: LockOwner;
    }
    | {
      /** The run changes nothing in the clone. */
      readonly owner: "unlocked";
      /** Folder for a temporary clone, if one has to be created. */
      readonly scratch: string;
    }
  );

/** An opened clone with what is known of it. */
export interface RegistryParts {
  readonly git: Git;
  /** As `git`, but the clone's hooks run. */
  readonly hookGit: Git;
  readonly facts: CloneFacts;
  readonly remoteUrl: RemoteUrl;
  readonly signInAtOnce: SignInAtOnce | undefined;
  /** Without a login in the address. */
  readonly settings: RegistrySettings;
  /** Why a run that changes nothing uses a temporary clone instead of the clone of our own. */
  readonly setAside: string | undefined;
  readonly lock: Disposable;
}

/**
 * Opens the clone or creates it, locks it, cleans up after killed runs, and prepares access to the remote. Nothing is
 * fetched yet.
 *
 * @throws what `Registry.open` throws
 */
export async function openRegistryParts(
  context: Context,
  configured: RegistrySettings,
  use: RegistryUse,
): Promise<RegistryParts> {
  const settings = withoutLogin(configured);
  using resources = new DisposableStack();
  const { git: bare, facts, setAside } = await openClone(context, settings, {
    kind: use.clone,
    scratch: use.owner === "unlocked" ? use.scratch : undefined,
    damage: use.damage,
    format: use.format,
    reach: (url) => requireReachable(context, settings, url),
    lock: (gitDir) => lockClone(context, gitDir, use.owner),
  });
  // Before the remote is asked for: adding one would not help.
  if (use.isPublish === true && facts.isBare) throw bareRegistry(settings.repoDir);
  let umask: string | undefined;
  if (use.owner !== "unlocked") {
    resources.use(await lockClone(context, facts.gitDir, use.owner));
    if (facts.isOwn) umask = await cleanUp(context, settings, facts);
  }
  const address = facts.remoteUrl ?? await askRemoteUrl(bare, settings, facts);
  const remoteUrl = parseRemoteUrl(address);
  // A run that changes nothing must not refresh the index either.
  const optional: Record<string, string> = use.owner === "unlocked" ? { GIT_OPTIONAL_LOCKS: "0" } : {};
  // In a user's partial clone, a checkout has to fetch the files that it writes.
  const lazy: Record<string, string> = facts.isLazy && !facts.isOwn ? { GIT_NO_LAZY_FETCH: "0" } : {};
  const aliases = remoteUrl.login === undefined ? [] : [address, facts.configuredUrl ?? address];
  const { signInAtOnce, ...access } = await remoteAccess(context, bare, { ...remoteUrl, aliases }, settings);
  const hookGit = bare.with(access).with({ env: { ...optional, ...lazy }, umask, mayFetch: facts.isLazy });
  const git = hookGit.with(facts.isOwn ? OWN_GIT : use.isPublish === true ? PLAIN_GIT : {});
  return { git, hookGit, facts, remoteUrl, signInAtOnce, settings, setAside, lock: resources.move() };
}

function bareRegistry(repoDir: string): UsageError {
  return new UsageError(`Cannot publish through ${repoDir}: it is a bare repository without a worktree`, {
    code: "REPO_BARE",
    hint: USE_AS_REGISTRY,
  });
}

/** Removes from a clone of our own what killed runs and others left there; returns the umask that git needs in it. */
async function cleanUp(
  context: Context,
  settings: RegistrySettings,
  { gitDir, objectsDir }: CloneFacts,
): Promise<string | undefined> {
  const umask = strictUmask(context.fs, gitDir);
  await removeStaleLocks(context, gitDir, settings);
  await sweepOutdated(context, settings.repoDir);
  // The reference logs are not used, and a damaged one would keep git from updating its reference.
  await removeTree(context.fs, join(gitDir, "logs"));
  removeForeignAttributes(context, objectsDir);
  return umask;
}

/** Throws if a registry cannot be reached at an address. */
async function requireReachable(context: Context, settings: RegistrySettings, url: string): Promise<void> {
  const git = new Git(context, settings);
  const asking = git.with(await remoteAccess(context, git, parseRemoteUrl(url), settings));
  await asking.bytes(["ls-remote", "--heads", url], { action: `reach ${redactUrls(url)}`, remote: true });
}
