import type { Context } from "../core/context.ts";
import { InterruptedError, messageOf, ModelSyncError } from "../core/errors.ts";
import { redactUrls, type Secret } from "../core/secret.ts";
import { runProcess } from "../core/subprocess.ts";
import { CloneDamagedError } from "../git/clone_damage.ts";
import { GIT_OWNERSHIP, gitError, LFS_MISSING } from "../git/git_error.ts";
import { GIT_VERSION_MIN } from "../git/git.ts";
import type { ObjectId } from "../git/object_id.ts";
import { ObjectFormatError } from "../git/object_format.ts";
import { Registry } from "../git/registry.ts";
import type { RegistrySettings } from "../git/registry_settings.ts";
import { ANSWER_MS, type Check, fail, pass, tried, triedAll, warn } from "./check.ts";

/** A branch that cannot exist. The server refuses to delete it only after it has accepted our write permission. */
const PROBE_REF = "refs/heads/model-sync-doctor-probe-that-does-not-exist";

/** The largest clock skew at which certificates and tokens that are valid from "now" work. */
const CLOCK_SKEW_MS_MAX = 5 * 60_000;

const PROGRAM_TIMEOUT_MS = 10_000;

/** Checks the versions of git and git-lfs. */
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
 * Checks that the registry can be reached, read and written. Changes nothing: without a clone, a temporary one is made
 * in `scratch`.
 */
export async function checkRegistry(
  context: Context,
  settings: RegistrySettings,
  scratch: string,
  answerTimeoutMs: number = ANSWER_MS,
): Promise<Check[]> {
  try {
    using opened = await Registry.open(context, { ...settings, answerTimeoutMs }, {
      owner: "unlocked",
      clone: "blobless",
      scratch,
    });
    const { isDamaged, check } = await checkClone(opened);
    // Git may loop endlessly in a damaged clone.
    if (isDamaged) return [check];
    const { registry: reached, readable, answers } = await reach(opened);
    using registry = reached;
    return [
      check,
      await tried("worktree", () => checkWorktree(registry)),
      readable,
      // A server that does not answer is not asked again.
      ...(answers
        ? [
          await tried("registry writable", () => checkWritable(registry)),
          ...await triedAll("registry clock", () => checkClock(context, registry)),
        ]
        : []),
    ];
  } catch (error) {
    return [failed("clone", error)];
  }
}

interface Reached {
  /** With a temporary clone where the store's clone has another object format. */
  readonly registry: Registry;
  readonly readable: Check;
  /** Whether the server answered at all. */
  readonly answers: boolean;
}

/** Requests the newest commit of the branch. */
async function reach(opened: Registry): Promise<Reached> {
  try {
    return { registry: opened, readable: readableCheck(opened, await opened.remoteTip()), answers: true };
  } catch (error) {
    if (error instanceof ObjectFormatError && opened.isOwn) {
      const registry = await opened.replaceAfter(error);
      const readable = await tried(READABLE, async () => readableCheck(registry, await registry.remoteTip()));
      return { registry, readable, answers: true };
    }
    return { registry: opened, readable: failed(READABLE, error), answers: !isSilence(error) };
  }
}

/** Whether an error says that the server did not answer. */
function isSilence(error: unknown): boolean {
  return error instanceof ModelSyncError && (error.code === "TIMEOUT" || error.code === "GIT_UNREACHABLE");
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
    const check = warn(name, `${repoDir}: ${problem}`, "nothing: the next run that needs it fixes it");
    return { check, isDamaged: false };
  }
  if (registry.git.repoDir !== repoDir) {
    return { check: pass(name, `none so far; it will be created at ${repoDir}`), isDamaged: false };
  }
  const damage = await registry.findDamage();
  if (damage === undefined) return { check: pass(name, repoDir), isDamaged: false };
  const check = registry.isOwn
    ? warn(
      name,
      `${repoDir}: it is damaged: ${damage}`,
      "nothing: the next run that needs it clones it again",
    )
    : failed(name, new CloneDamagedError(repoDir, damage));
  return { check, isDamaged: true };
}

async function checkWorktree(registry: Registry): Promise<Check> {
  if (!registry.hasWorktree) return pass("worktree", "none: files are read directly from git");
  const { dirty } = await registry.status();
  if (dirty.length === 0) return pass("worktree", "clean");
  return fail("worktree", `dirty: ${dirty.slice(0, 3).join(", ")}`, "commit, stash or remove the changes");
}

const READABLE = "registry readable";

/** @param tip the newest commit of the branch; `undefined` if the remote does not have the branch */
function readableCheck(registry: Registry, tip: ObjectId | undefined): Check {
  const where = redactUrls(registry.remoteUrl.url);
  return tip === undefined
    ? warn(
      READABLE,
      `${where} has no branch ${registry.settings.branch} yet`,
      "publish first, or set model_sync.branch",
    )
    : pass(READABLE, `${where}, ${registry.settings.branch} is at ${tip.slice(0, 12)}`);
}

async function checkWritable(registry: Registry): Promise<Check> {
  const name = "registry writable";
  const action = "push a probe that changes nothing";
  const result = await registry.git.attempt(
    // The hooks of a push check published files; they may take long.
    ["push", "--dry-run", "--no-verify", registry.settings.remote, `:${PROBE_REF}`],
    { action, remote: true, label: "checking write access" },
  );
  if (result.code === 0 || /remote ref does not exist/.test(result.stderr)) {
    return pass(name, "a push would be accepted");
  }
  const error = registry.git.error(action, result);
  return warn(
    name,
    error.message,
    error.code === GIT_OWNERSHIP && error.hint !== undefined
      ? error.hint
      : "only a publisher needs write access: give it a token or a key that has it",
  );
}

/** Compares our clock with the server's, which HTTP responses carry. */
async function checkClock(context: Context, registry: Registry): Promise<Check[]> {
  if (registry.remoteUrl.origin === undefined) return [];
  const { settings } = registry;
  const result = await registry.git.with({ env: { GIT_TRACE_CURL: "1", GIT_TRACE_CURL_NO_DATA: "1" } })
    .attempt(
      ["ls-remote", settings.remote, `refs/heads/${settings.branch}`],
      { action: "request the time of the server", remote: true },
    );
  const date = /^.*<= Recv header: date: (.+)$/im.exec(result.stderr)?.[1];
  const serverMs = Date.parse(date ?? "");
  if (Number.isNaN(serverMs)) return [];
  const skewMs = context.clock.now().getTime() - serverMs;
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  if (Math.abs(skewMs) <= CLOCK_SKEW_MS_MAX) {
    return [pass("registry clock", `the clocks differ by ${seconds} s`)];
  }
  const direction = skewMs > 0 ? "ahead of" : "behind";
  return [
    fail(
      "registry clock",
      `our clock is ${seconds} s ${direction} the server's`,
      "synchronise it: timedatectl set-ntp true",
    ),
  ];
}

/** Checks the scopes of a token at GitHub, which names them for classic tokens only. Needs net permission. */
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
      return fail(name, "GitHub refuses it", "create a new one and set the variable to it");
    }
    const scopes = response.headers.get("x-oauth-scopes");
    if (scopes === null) {
      return pass(name, `accepted by ${new URL(apiUrl).host}; its permissions are unknown`);
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
      `cannot check it at ${new URL(apiUrl).host}: ${messageOf(error)}`,
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

/** Compares dotted version numbers. Negative when `a` is older. */
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
  if (!(error instanceof ModelSyncError) || error instanceof InterruptedError) throw error;
  return fail(name, error.message, error.hint ?? "fix it and run again");
}
