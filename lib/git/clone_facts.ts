import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { findEntry, findText, UnusableFileError } from "../core/files.ts";
import { oneLine } from "../core/quote.ts";
import { settleAll } from "../core/concurrency.ts";
import type { ObjectFormat } from "./object_id.ts";
import { CloneDamagedError, describeGitFolder } from "./clone_damage.ts";
import type { Git } from "./git.ts";
import {
  type CloneKind,
  type ConfigEntry,
  foreignKeys,
  hasMarkFile,
  isLazy,
  KIND_MARK,
  OWN_MARK,
} from "./own_config.ts";
import type { RegistrySettings } from "./registry_settings.ts";

/** The properties of a clone, read when it is opened. */
export interface CloneFacts {
  readonly gitDir: string;
  /** Its folder of objects: elsewhere for a linked worktree. */
  readonly objectsDir: string;
  readonly isBare: boolean;
  /** Created and maintained by this program. No person works in it. */
  readonly isOwn: boolean;
  /** The kind that this program created; `whole` for a user's clone. */
  readonly kind: CloneKind;
  /** Whether git fetches missing objects by itself. */
  readonly isLazy: boolean;
  /** The remote's URL in the configuration; `undefined` if there is none, or several. */
  readonly configuredUrl: string | undefined;
  /** The remote's URL as git uses it; `undefined` if the configuration rewrites URLs, so that git must resolve it. */
  readonly remoteUrl: string | undefined;
  readonly format: ObjectFormat;
  /** The keys that any configuration sets, the user's and the system's, too. In lower case, except for names within. */
  readonly configuredKeys: ReadonlySet<string>;
  /** The clone's own configuration. */
  readonly entries: readonly ConfigEntry[];
  /** Settings that other programs added to a clone of our own. */
  readonly foreignKeys: readonly string[];
}

/**
 * Returns the properties of a clone. Reading them runs no program that the clone's configuration names.
 *
 * @throws {UsageError} code `REPO_INVALID`; {@link CloneDamagedError}
 */
export async function readFacts(
  context: Context,
  git: Git,
  settings: RegistrySettings,
): Promise<CloneFacts> {
  const { remote, repoDir } = settings;
  if (/[\r\n]/.test(repoDir)) {
    throw new UsageError(`Cannot open the models repository ${oneLine(repoDir)}: its path has a line break`, {
      code: "REPO_INVALID",
      hint: "use another folder: git prints one path a line",
    });
  }
  const problem = describeGitFolder(context.fs, repoDir, settings);
  if (problem?.kind === "unreadable") throw new CloneDamagedError(repoDir, problem.reason);
  const action = `open the models repository ${repoDir}`;
  const [result, config] = await settleAll([
    git.attempt(
      ["rev-parse", "--path-format=absolute", "--git-dir", "--git-path", "objects", "--is-bare-repository"],
      { action, isAlone: true },
    ),
    git.attempt(["config", "--list", "-z", "--show-scope"], {
      action: "read the clone's configuration",
      isAlone: true,
    }),
  ]);
  const failed = [result, config].find(({ code }) => code !== 0);
  if (failed !== undefined) {
    const isNone = /not a git repository|cannot change to/.test(failed.stderr);
    if (isNone && problem !== undefined) throw new CloneDamagedError(repoDir, problem.reason);
    if (!isNone) throw git.error(action, failed);
    throw new UsageError(`Cannot open the models repository ${repoDir}: it is not a git repository`, {
      code: "REPO_INVALID",
      hint: "point model_sync.repo_dir at a clone, or at a new folder and set model_sync.repo_url",
    });
  }
  const [gitDir = "", objectsDir = "", isBare] = new TextDecoder().decode(result.stdout).trimEnd().split(
    "\n",
  );
  const all = parseConfig(new TextDecoder().decode(config.stdout));
  const entries = all.filter(({ scope }) => scope === "local" || scope === "worktree");
  const valueOf = (key: string) => entries.findLast((entry) => entry.key === key)?.value;
  const urls = all.filter(({ key }) => key === `remote.${remote}.url`);
  const configuredUrl = urls.length === 1 ? urls[0]?.value : undefined;
  const isOwn = valueOf(OWN_MARK) === "true" || hasMarkFile(context, gitDir);
  return {
    gitDir,
    objectsDir,
    isBare: isBare === "true",
    isOwn,
    kind: isOwn && (valueOf(KIND_MARK) === "blobless" || isLazy(entries)) ? "blobless" : "whole",
    isLazy: isLazy(all),
    configuredUrl,
    remoteUrl: all.some(({ key }) => key.startsWith("url.")) ? undefined : configuredUrl,
    format: valueOf("extensions.objectformat") === "sha256" ? "sha256" : "sha1",
    configuredKeys: new Set(all.map(({ key }) => key)),
    entries,
    foreignKeys: isOwn ? foreignKeys(entries) : [],
  };
}

/** Whether a clone that git cannot open is one of our own, by its path or by the marks in it. */
export function looksOwn(context: Context, { repoDir, isInStore }: RegistrySettings): boolean {
  if (isInStore === true) return true;
  const gitDir = join(repoDir, ".git");
  if (findEntry(context.fs, gitDir)?.isDirectory !== true) return false;
  if (hasMarkFile(context, gitDir)) return true;
  return /^\[model-sync\]\n\town = true$/m.test(readConfig(context, join(gitDir, "config")));
}

/** The size limit for a configuration that git cannot read; ours have a few hundred bytes. */
const CONFIG_BYTES_MAX = 1024 * 1024;

function readConfig({ fs }: Context, path: string): string {
  try {
    return findText(fs, path, CONFIG_BYTES_MAX) ?? "";
  } catch (error) {
    if (error instanceof UnusableFileError) return "";
    throw error;
  }
}

interface ScopedEntry extends ConfigEntry {
  /** `system`, `global`, `local`, `worktree` or `command`. */
  readonly scope: string;
}

/** Reads `git config --list -z --show-scope`: scope and NUL; key, newline, value and NUL. */
function parseConfig(output: string): ScopedEntry[] {
  const fields = output.split("\0");
  const entries: ScopedEntry[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [scope = "", text = ""] = fields.slice(index, index + 2);
    const end = text.indexOf("\n");
    // A key without a value is a boolean that is true.
    entries.push(
      end === -1
        ? { scope, key: text, value: "true" }
        : { scope, key: text.slice(0, end), value: text.slice(end + 1) },
    );
  }
  return entries;
}
