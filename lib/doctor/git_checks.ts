import type { Context } from "../core/context.ts";
import { messageOf, ModelSyncError } from "../core/errors.ts";
import { redactUrls, type Secret } from "../core/secret.ts";
import { runProcess } from "../core/subprocess.ts";
import { CloneDamagedError } from "../git/clone_damage.ts";
import { gitError, LFS_MISSING } from "../git/git_error.ts";
import { GIT_VERSION_MIN } from "../git/git.ts";
import { ObjectFormatError } from "../git/object_format.ts";
import { Registry } from "../git/registry.ts";
import type { RegistrySettings } from "../git/registry_settings.ts";
import { type Check, fail, pass, tried, triedAll, warn } from "./check.ts";

/** Deleting a branch that cannot exist is refused only after the server let us in to write. */
const PROBE_REF = "refs/heads/model-sync-doctor-probe-that-does-not-exist";

/** A certificate or a token that is valid from "now" fails on a clock that is further off. */
const CLOCK_SKEW_MS_MAX = 5 * 60_000;

const PROGRAM_TIMEOUT_MS = 10_000;

/** The versions of git and git-lfs. */
export async function checkPrograms(context: Context): Promise<Check[]> {
  return await triedAll("git", () => checkVersions(context));
}

async function checkVersions(context: Context): Promise<Check[]> {
  const git = await versionOf(context, ["--version"]);
  const lfs = await versionOf(context, ["lfs", "version"]);
  const install = "install it: apt install git, brew install git, or https://git-scm.com";
  return [
    git === undefined
      ? fail("git", "not found on the PATH", install)
      : compareVersions(git, GIT_VERSION_MIN) < 0
      ? fail("git", `version ${git}, at least ${GIT_VERSION_MIN} is needed`, install)
      : pass("git", `version ${git}`),
    lfs === undefined
      ? warn("git-lfs", "not installed; needed for files over 100 MiB", "install it: apt install git-lfs")
      : pass("git-lfs", `version ${lfs}`),
  ];
}

/**
 * Whether the registry can be reached, read and written, without changing it. A clone that does not exist yet is tried
 * out in `scratch`.
 */
export async function checkRegistry(
  context: Context,
  settings: RegistrySettings,
  scratch: string,
): Promise<Check[]> {
  try {
    using opened = await Registry.open(context, settings, {
      owner: "unlocked",
      clone: "blobless",
      scratch,
    });
    const { isDamaged, check } = await checkClone(opened);
    // A git in a damaged clone may go round in circles.
    if (isDamaged) return [check];
    using registry = await inItsFormat(opened);
    return [
      check,
      await tried("worktree", () => checkWorktree(registry)),
      await tried("registry readable", () => checkReadable(registry)),
      await tried("registry writable", () => checkWritable(registry)),
      ...await triedAll("registry clock", () => checkClock(context, registry)),
    ];
  } catch (error) {
    return [failed("clone", error)];
  }
}

/** Returns the registry; with a clone in scratch where one of our own does not have its object format. */
async function inItsFormat(registry: Registry): Promise<Registry> {
  try {
    await registry.remoteTip();
    return registry;
  } catch (error) {
    if (error instanceof ObjectFormatError && registry.isOwn) return await registry.replaceAfter(error);
    // The check of its own reports it.
    return registry;
  }
}

interface CloneCheck {
  readonly check: Check;
  readonly isDamaged: boolean;
}

async function checkClone(registry: Registry): Promise<CloneCheck> {
  const name = "clone";
  const { repoDir } = registry.settings;
  const problem = registry.setAside;
  if (problem !== undefined) {
    const check = warn(name, `${repoDir}: ${problem}`, "nothing: the next pull or publish puts that right");
    return { check, isDamaged: false };
  }
  if (registry.git.repoDir !== repoDir) {
    return { check: pass(name, `none yet; it will be made at ${repoDir}`), isDamaged: false };
  }
  const damage = await registry.findDamage();
  if (damage === undefined) return { check: pass(name, repoDir), isDamaged: false };
  const check = registry.isOwn
    ? warn(
      name,
      `${repoDir}: it is damaged: ${damage}`,
      "nothing: the next pull or publish clones it again",
    )
    : failed(name, new CloneDamagedError(repoDir, damage));
  return { check, isDamaged: true };
}

async function checkWorktree(registry: Registry): Promise<Check> {
  if (!registry.hasWorktree) return pass("worktree", "none: files are read straight from git");
  const { dirty } = await registry.status();
  if (dirty.length === 0) return pass("worktree", "clean");
  return fail("worktree", `dirty: ${dirty.slice(0, 3).join(", ")}`, "commit, stash or remove the changes");
}

async function checkReadable(registry: Registry): Promise<Check> {
  const name = "registry readable";
  const tip = await registry.remoteTip();
  const where = redactUrls(registry.remoteUrl.url);
  return tip === undefined
    ? warn(
      name,
      `${where} has no branch ${registry.settings.branch} yet`,
      "publish first, or set model_sync.branch",
    )
    : pass(name, `${where}, ${registry.settings.branch} is at ${tip.slice(0, 12)}`);
}

async function checkWritable(registry: Registry): Promise<Check> {
  const name = "registry writable";
  const action = "push a probe that changes nothing";
  const result = await registry.git.attempt(
    // A hook is asked about what is published; a probe may not wait for it.
    ["push", "--dry-run", "--no-verify", registry.settings.remote, `:${PROBE_REF}`],
    { action },
  );
  if (result.code === 0 || /remote ref does not exist/.test(result.stderr)) {
    return pass(name, "a push would be let in");
  }
  const error = registry.git.error(action, result);
  return warn(name, error.message, "only a publisher needs this: give it a token or a key that may write");
}

/** Compares our clock with the server's, which an HTTP answer carries. */
async function checkClock(context: Context, registry: Registry): Promise<Check[]> {
  if (registry.remoteUrl.origin === undefined) return [];
  const { settings } = registry;
  const result = await registry.git.with({ env: { GIT_TRACE_CURL: "1", GIT_TRACE_CURL_NO_DATA: "1" } })
    .attempt(
      ["ls-remote", settings.remote, `refs/heads/${settings.branch}`],
      { action: "ask the server for its time" },
    );
  const date = /^.*<= Recv header: date: (.+)$/im.exec(result.stderr)?.[1];
  const serverMs = Date.parse(date ?? "");
  if (Number.isNaN(serverMs)) return [];
  const skewMs = context.clock.now().getTime() - serverMs;
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  if (Math.abs(skewMs) <= CLOCK_SKEW_MS_MAX) {
    return [pass("registry clock", `ours is within ${seconds} s of it`)];
  }
  const direction = skewMs > 0 ? "ahead of" : "behind";
  return [
    fail(
      "registry clock",
      `ours is ${seconds} s ${direction} it`,
      "synchronise it: timedatectl set-ntp true",
    ),
  ];
}

/** What GitHub says that a classic token may do; it does not say so of fine-grained ones. Needs net permission. */
export async function checkTokenScopes(context: Context, token: Secret, apiUrl: string): Promise<Check> {
  const name = "token";
  try {
    const response = await context.http(`${apiUrl.replace(/\/+$/, "")}/rate_limit`, {
      headers: { authorization: `Bearer ${token.reveal()}`, "user-agent": "model-sync" },
      redirect: "manual",
      signal: AbortSignal.any([context.signal, AbortSignal.timeout(PROGRAM_TIMEOUT_MS)]),
    });
    await response.body?.cancel();
    if (response.status === 401) {
      return fail(name, "GitHub refuses it", "make a new one and put it into the variable");
    }
    const scopes = response.headers.get("x-oauth-scopes");
    if (scopes === null) {
      return pass(name, `accepted by ${new URL(apiUrl).host}; it does not tell its permissions`);
    }
    if (/\brepo\b/.test(scopes)) return pass(name, `accepted, with the scopes ${scopes}`);
    return warn(
      name,
      `its scopes are "${scopes}", without repo`,
      "a private repository needs the scope repo",
    );
  } catch (error) {
    if (context.signal.aborted) throw error;
    return warn(
      name,
      `cannot ask ${new URL(apiUrl).host} about it: ${messageOf(error)}`,
      "check the network",
    );
  }
}

async function versionOf(context: Context, args: readonly string[]): Promise<string | undefined> {
  try {
    const { signal } = context;
    const result = await runProcess(context.spawn, {
      command: "git",
      args,
      timeoutMs: PROGRAM_TIMEOUT_MS,
      signal,
    });
    if (result.code === 0) return /\d+(?:\.\d+)+/.exec(new TextDecoder().decode(result.stdout))?.[0];
    const error = gitError(`run git ${args.join(" ")}`, result.stderr);
    if (error.code !== LFS_MISSING) throw error;
    return undefined;
  } catch (error) {
    if (error instanceof ModelSyncError && error.code === "PROGRAM_MISSING") return undefined;
    throw error;
  }
}

/** Compares dotted version numbers; negative when `a` is older. */
export function compareVersions(a: string, b: string): number {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function failed(name: string, error: unknown): Check {
  if (!(error instanceof ModelSyncError)) throw error;
  return fail(name, error.message, error.hint ?? "mend it and run again");
}
