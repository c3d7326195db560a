import { dirname, join, resolve } from "node:path";
import type { Context } from "../core/context.ts";
import { FailedError, osErrorCode } from "../core/errors.ts";
import { type FileSystem, ifFound } from "../core/files.ts";
import { redact } from "../core/secret.ts";
import { LFS_MISSING, lfsMissing } from "./git_error.ts";
import type { Registry } from "./registry.ts";

/** The hooks that may refuse a publish. Hooks that run later are not run: they could only change a checked commit. */
const REFUSING = ["pre-commit", "prepare-commit-msg", "commit-msg", "pre-push"] as const;
export type HookName = (typeof REFUSING)[number];

/** The paths of the executable hooks. */
export type Hooks = ReadonlyMap<HookName, string>;

/** Returns the hooks that the user has for this clone. */
export async function findHooks({ fs }: Context, registry: Registry): Promise<Hooks> {
  const folder = await hooksFolder(registry);
  const found = new Map<HookName, string>();
  // People disable hooks with /dev/null, and Deno does not allow reading there.
  if (folder === "/dev/null") return found;
  for (const name of REFUSING) {
    const path = join(folder, name);
    const info = findTarget(fs, path);
    // Git ignores a hook that is not executable, too. Windows has no such permission.
    const isRunnable = info?.isFile === true && (info.mode === null || (info.mode & 0o111) !== 0);
    if (isRunnable) found.set(name, path);
  }
  return found;
}

/**
 * Returns the entry at a path, links followed; `undefined` if there is none, for a circle of links, and for an invalid
 * name.
 */
function findTarget(fs: FileSystem, path: string): Deno.FileInfo | undefined {
  try {
    return ifFound(() => fs.statSync(path));
  } catch (error) {
    const isNone = error instanceof Deno.errors.FilesystemLoop || osErrorCode(error) === "ENAMETOOLONG";
    if (isNone) return undefined;
    throw error;
  }
}

/** In a clone of our own, the clone's configuration does not choose programs; the user's own configuration does. */
async function hooksFolder(registry: Registry): Promise<string> {
  const action = `look for the hooks of ${registry.git.repoDir}`;
  if (!registry.isOwn) {
    return await registry.hookGit.text(["rev-parse", "--path-format=absolute", "--git-path", "hooks"], {
      action,
    });
  }
  const usual = join(dirname(registry.objectsDir), "hooks");
  if (!registry.isConfigured("core.hookspath")) return usual;
  const { stdout } = await registry.hookGit.attempt(
    ["config", "--show-scope", "--type=path", "--get-all", "core.hooksPath"],
    { action },
  );
  const ofUser = new TextDecoder().decode(stdout).split("\n").map((line) => line.split("\t"))
    .findLast(([scope]) => scope === "system" || scope === "global");
  // Hooks run at the top of the worktree, and a relative folder is relative to it (git-config(1)).
  if (ofUser?.[1] !== undefined) return resolve(registry.git.repoDir, ofUser[1]);
  return usual;
}

/** The code of the error when a hook refuses. */
export const HOOK_REFUSED = "HOOK_REFUSED";

/** How a hook is run. */
export interface HookCall {
  readonly args?: readonly string[];
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Git runs hooks with its own shell, which finds their interpreters on Windows, too, and forwards all their output. */
const COMMAND = 'f() { "$MODEL_SYNC_HOOK" "$@" 1>&2; }; f';
const ALIAS = `alias.model-sync-hook=!${COMMAND}`;

/** If that shell cannot start a hook, its message begins with the command and a line number. */
const SHELL_PREFIX = /^.*MODEL_SYNC_HOOK.*?; f: (?:line )?\d+: |^.*MODEL_SYNC_HOOK.*?; f: /;

/**
 * Runs a hook, if there is one, as git does: at the top of the worktree. Only its exit code counts, not its changes.
 *
 * @returns whether there was one
 * @throws {FailedError} code `HOOK_REFUSED`, with the last lines that it printed; {@link UsageError} `LFS_MISSING`
 */
export async function runHook(
  registry: Registry,
  hooks: Hooks,
  name: HookName,
  { args = [], stdin, env }: HookCall,
): Promise<boolean> {
  const path = hooks.get(name);
  if (path === undefined) return false;
  const git = registry.hookGit.with({
    // In a clone of our own, git commands of the hook would pass over the files that are there for it.
    config: [ALIAS, ...(registry.isOwn ? ["core.sparseCheckout=false"] : [])],
    env: { ...env, MODEL_SYNC_HOOK: path, GIT_EDITOR: ":" },
  });
  const exit = await git.attempt(["model-sync-hook", ...args], {
    action: `run the ${name} hook`,
    label: `the ${name} hook`,
    transfer: true,
    isOfUser: true,
    ...(stdin === undefined ? {} : { stdin }),
  });
  if (exit.code === 0) return true;
  const { token } = registry.settings;
  // The hooks of `git lfs install` only call git-lfs.
  const { code } = git.error(`run the ${name} hook`, exit);
  if (code === LFS_MISSING) throw lfsMissing(`the ${name} hook of ${registry.git.repoDir} calls it`);
  const words = lastWords(redact(exit.stderr, token === undefined ? [] : [token]));
  throw new FailedError(
    `Cannot publish through ${registry.git.repoDir}: the ${name} hook refuses it${
      words === "" ? ` (exit code ${exit.code})` : `: ${words}`
    }`,
    { code: HOOK_REFUSED, hint: `fix the reported problem, or change ${path}; nothing was published` },
  );
}

/** The last lines of a hook say why it refuses. */
const LINES_MAX = 5;
const CHARACTERS_MAX = 500;

/** Escape sequences for terminals, such as colours, and control characters. */
const SEQUENCE = /\p{Cc}\[[0-?]*[ -/]*[@-~]/gu;

function lastWords(output: string): string {
  const lines = output.replace(SEQUENCE, "").split(/[\r\n]+/)
    .map((line) => line.replace(/\p{Cc}+/gu, " ").replace(SHELL_PREFIX, "").trim()).filter((line) =>
      line !== ""
    );
  return lines.slice(-LINES_MAX).join("; ").slice(-CHARACTERS_MAX);
}
