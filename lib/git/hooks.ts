import { dirname, join, resolve } from "node:path";
import type { Context } from "../core/context.ts";
import { FailedError, osErrorCode } from "../core/errors.ts";
import { type FileSystem, ifFound } from "../core/files.ts";
import { redact } from "../core/secret.ts";
import { LFS_MISSING, lfsMissing } from "./git_error.ts";
import type { Registry } from "./registry.ts";

/** The hooks that may refuse a publish. No other runs: those that come later can only alter what was decided. */
const REFUSING = ["pre-commit", "prepare-commit-msg", "commit-msg", "pre-push"] as const;
export type HookName = (typeof REFUSING)[number];

/** Where each hook is that is there and can be run. */
export type Hooks = ReadonlyMap<HookName, string>;

/** Looks for the hooks that the user has for this clone. */
export async function findHooks({ fs }: Context, registry: Registry): Promise<Hooks> {
  const folder = await hooksFolder(registry);
  const found = new Map<HookName, string>();
  // As people turn hooks off; the runtime does not let us look there.
  if (folder === "/dev/null") return found;
  for (const name of REFUSING) {
    const path = join(folder, name);
    const info = findTarget(fs, path);
    // Git passes over a hook without the permission, too; Windows has none.
    const isRunnable = info?.isFile === true && (info.mode === null || (info.mode & 0o111) !== 0);
    if (isRunnable) found.set(name, path);
  }
  return found;
}

/** What is at a path, links followed; nothing where a link leads in a circle, or no file can have such a name. */
function findTarget(fs: FileSystem, path: string): Deno.FileInfo | undefined {
  try {
    return ifFound(() => fs.statSync(path));
  } catch (error) {
    const isNone = error instanceof Deno.errors.FilesystemLoop || osErrorCode(error) === "ENAMETOOLONG";
    if (isNone) return undefined;
    throw error;
  }
}

/** In a clone of our own the clone's own settings do not decide which programs run; those of the machine's user do. */
async function hooksFolder(registry: Registry): Promise<string> {
  const action = `look for the hooks of ${registry.git.repoDir}`;
  if (!registry.isOwn) {
    return await registry.hookGit.text(["rev-parse", "--path-format=absolute", "--git-path", "hooks"], {
      action,
    });
  }
  const { stdout } = await registry.hookGit.attempt(
    ["config", "--show-scope", "--type=path", "--get-all", "core.hooksPath"],
    { action },
  );
  const ofUser = new TextDecoder().decode(stdout).split("\n").map((line) => line.split("\t"))
    .findLast(([scope]) => scope === "system" || scope === "global");
  // A hook runs at the top of the worktree, and a relative folder is meant from there (git-config(1)).
  if (ofUser?.[1] !== undefined) return resolve(registry.git.repoDir, ofUser[1]);
  return join(dirname(registry.objectsDir), "hooks");
}

/** The code of the error when a hook refuses. */
export const HOOK_REFUSED = "HOOK_REFUSED";

/** How a hook is run. */
export interface HookCall {
  readonly args?: readonly string[];
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Git runs hooks by its own shell, which finds their interpreters also on Windows; and shows all that they print. */
const COMMAND = 'f() { "$MODEL_SYNC_HOOK" "$@" 1>&2; }; f';
const ALIAS = `alias.model-sync-hook=!${COMMAND}`;

/** Where that shell cannot start a hook, it names the command it was given, and a line in it. */
const SHELL_PREFIX = /^.*MODEL_SYNC_HOOK.*?; f: (?:line )?\d+: |^.*MODEL_SYNC_HOOK.*?; f: /;

/**
 * Runs a hook, if it is there, as git does: at the top of the worktree. It may refuse; what it changes is not looked at.
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
    config: [ALIAS],
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
  // The hooks of `git lfs install` do nothing but call it.
  const { code } = git.error(`run the ${name} hook`, exit);
  if (code === LFS_MISSING) throw lfsMissing(`the ${name} hook of ${registry.git.repoDir} calls it`);
  const words = lastWords(redact(exit.stderr, token === undefined ? [] : [token]));
  throw new FailedError(
    `Cannot publish through ${registry.git.repoDir}: the ${name} hook refuses it${
      words === "" ? ` (exit code ${exit.code})` : `: ${words}`
    }`,
    { code: HOOK_REFUSED, hint: `fix what it complains about, or change ${path}; nothing was published` },
  );
}

/** What a hook says last is why it refuses. */
const LINES_MAX = 5;
const CHARACTERS_MAX = 500;

/** Colours and the other sequences that terminals obey: a control character and what belongs to it. */
const SEQUENCE = /\p{Cc}\[[0-?]*[ -/]*[@-~]/gu;

function lastWords(output: string): string {
  const lines = output.replace(SEQUENCE, "").split(/[\r\n]+/)
    .map((line) => line.replace(/\p{Cc}+/gu, " ").replace(SHELL_PREFIX, "").trim()).filter((line) =>
      line !== ""
    );
  return lines.slice(-LINES_MAX).join("; ").slice(-CHARACTERS_MAX);
}
