import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { findEntry, findText } from "../core/files.ts";
import type { ObjectId } from "./object_id.ts";
import { hasMarkFile } from "./own_config.ts";
import type { RegistrySettings } from "./registry_settings.ts";
import { parseRemoteUrl } from "./remote_url.ts";

/** The newest commit of a branch, and the path of the registry that has it. */
export interface LocalTip {
  readonly address: string;
  readonly commit: ObjectId;
}

/**
 * Returns the newest commit of a registry on this disk as its files name it, without git. The answer may only show that
 * nothing is new: nothing of the registry is checked.
 *
 * @returns `undefined` if git has to be asked: for a clone that is not one of our own in the store, for references in
 * another format, for a branch that is not found, and if the configuration of git may rewrite the address
 */
export function readLocalTip(context: Context, registry: RegistrySettings): LocalTip | undefined {
  const { repoUrl, repoDir, branch, isInStore } = registry;
  if (isInStore !== true || repoUrl === undefined || !repoUrl.startsWith("/")) return undefined;
  try {
    if (!parseRemoteUrl(repoUrl).isLocal || !hasMarkFile(context, join(repoDir, ".git"))) return undefined;
    if (mayRewriteAddresses(context)) return undefined;
    const commit = readTip(context, repoUrl, `refs/heads/${branch}`);
    return commit === undefined ? undefined : { address: repoUrl, commit };
  } catch {
    // Git reads the same next, and reports the fault.
    return undefined;
  }
}

/** A reference has 65 bytes at most. Git packs those of large registries: 100,000 take some 6 MB. */
const [REFERENCE_BYTES_MAX, PACKED_BYTES_MAX] = [1024, 16 * 1024 * 1024];

const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** Reads a reference as git does: in a file of its own, else in the one that `git pack-refs` writes. */
function readTip({ fs }: Context, repository: string, name: string): ObjectId | undefined {
  const inside = findEntry(fs, join(repository, ".git"));
  // A file there names another folder.
  if (inside?.isDirectory === false) return undefined;
  const folder = inside === undefined ? repository : join(repository, ".git");
  const isRepository = ["HEAD", "objects"].every((entry) => findEntry(fs, join(folder, entry)) !== undefined);
  if (!isRepository) return undefined;
  const own = findText(fs, join(folder, name), REFERENCE_BYTES_MAX);
  const packed = () => findText(fs, join(folder, "packed-refs"), PACKED_BYTES_MAX) ?? "";
  const commit = own?.trimEnd() ??
    packed().split("\n").find((line) => line.endsWith(` ${name}`))?.slice(0, -name.length - 1) ?? "";
  return COMMIT.test(commit) ? commit : undefined;
}

/** Where git has its configuration of the system: on Linux, and of Homebrew. */
const SYSTEM_FILES = ["/etc/gitconfig", "/usr/local/etc/gitconfig", "/opt/homebrew/etc/gitconfig"];

/** `url.<base>.insteadOf` replaces addresses; another file may be included. */
const REWRITING = /insteadof|\[\s*include/i;

const CONFIG_BYTES_MAX = 1024 * 1024;

/**
 * Whether the configuration of the user or of the system may replace an address by another one.
 *
 * @throws if a file of it cannot be read
 */
function mayRewriteAddresses({ fs, env }: Context): boolean {
  if (["GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"].some((name) => env.get(name) !== undefined)) return true;
  const home = env.get("HOME");
  const xdg = env.get("XDG_CONFIG_HOME") || (home && join(home, ".config"));
  const [ownGlobal, ownSystem] = [env.get("GIT_CONFIG_GLOBAL"), env.get("GIT_CONFIG_SYSTEM")];
  const global = ownGlobal === undefined
    ? [xdg && join(xdg, "git/config"), home && join(home, ".gitconfig")]
    : [ownGlobal];
  const system = ownSystem === undefined ? SYSTEM_FILES : [ownSystem];
  return [...global, ...system].some((path) =>
    path && REWRITING.test(findText(fs, path, CONFIG_BYTES_MAX) ?? "")
  );
}
