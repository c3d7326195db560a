import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { findEntry, PRIVATE_MODE } from "../core/files.ts";
import { replaceFile } from "../core/replace_file.ts";

/**
 * The kinds of clones that this program makes. A `blobless` one is for pulls: files are fetched by name, and only those
 * that the store does not hold. A `whole` one is for publishing.
 */
export type CloneKind = "blobless" | "whole";

/** An entry of a clone's own configuration, not of the user's or the system's. */
export interface ConfigEntry {
  /** Section and name in lower case, the subsection as written. */
  readonly key: string;
  readonly value: string;
}

/** The mark of a clone that this program created, in its configuration. */
export const OWN_MARK = "model-sync.own";

/** The kind of a clone that this program created, in its configuration. */
export const KIND_MARK = "model-sync.clone";

/** The same mark as a file, in case the configuration is lost. */
const MARK_FILE = "model-sync.own";

/**
 * The patterns of a sparse checkout. They match no file, so models need no second copy on the disk, and git shows the
 * empty worktree as clean.
 */
const SPARSE_FILE = "info/sparse-checkout";
const SPARSE_TEXT = "# No files: model-sync reads and writes git objects.\n";
const MARK_TEXT = "model-sync created this clone, and recreates it when it is damaged.\n";

/**
 * The allowed settings of a clone of our own: those that this program, git and git-lfs write, and settings for the
 * committer and for HTTP connections. All others are removed. A list of settings that run programs (`core.fsmonitor`,
 * `core.hooksPath`, `core.sshCommand`, `filter.*`, `include.*` …) would be incomplete with the next git.
 */
const KEPT = new RegExp(
  `^(?:${
    [
      "model-sync\\..*",
      "core\\.(?:repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode|symlinks)",
      "core\\.(?:compression|bigfilethreshold|autocrlf|sharedrepository|sparsecheckout)",
      "extensions\\.objectformat",
      "gc\\.auto",
      "remote\\..*\\.(?:url|fetch|tagopt)",
      "branch\\..*\\.(?:remote|merge)",
      "lfs\\.(?:repositoryformatversion|(?:.*\\.)?(?:access|locksverify))",
      "(?:user|author|committer)\\.(?:name|email)",
      // Excluded: git would write a cookie file to any path.
      "http\\.(?:.*\\.)?(?!cookiefile$|savecookies$)[a-z0-9]+",
    ].join("|")
  })$`,
  "s",
);

/** git-lfs's notes about an address with a login. git-lfs adds them again. */
const LFS_WITH_LOGIN = /^lfs\..*:\/\/[^/]*@/s;

/** Settings with which git fetches missing objects by itself. Earlier versions of this program set them. */
const LAZY = /^(?:remote\..*\.(?:promisor|partialclonefilter)|extensions\.partialclone)$/s;

/** Returns the settings of a clone of our own that neither this program nor git added. */
export function foreignKeys(entries: readonly ConfigEntry[]): string[] {
  return [...new Set(entries.map(({ key }) => key).filter((key) => !KEPT.test(key) && !LAZY.test(key)))];
}

/** Whether git fetches missing objects by itself with these settings. */
export function isLazy(entries: readonly ConfigEntry[]): boolean {
  return entries.some(({ key }) => LAZY.test(key));
}

/** Returns the settings of every clone of our own. They also apply when a person runs git in it. */
export function ownEntries(remote: string, url: string, kind: CloneKind): ConfigEntry[] {
  return Object.entries({
    [OWN_MARK]: "true",
    // The clone is not marked as a partial clone for git: git would fetch every missing object by itself, and a damaged
    // object would trigger fetches without end.
    [KIND_MARK]: kind,
    "core.compression": "0",
    "core.bigfilethreshold": "8m",
    "core.autocrlf": "false",
    "core.sparsecheckout": "true",
    "gc.auto": "0",
    [`remote.${remote}.url`]: url,
    [`remote.${remote}.fetch`]: `+refs/heads/*:refs/remotes/${remote}/*`,
    [`remote.${remote}.tagopt`]: "--no-tags",
  }).map(([key, value]) => ({ key, value }));
}

/** Writes the configuration of a clone of our own: its allowed settings, and ours. */
export function writeOwnConfig(
  context: Context,
  gitDir: string,
  found: readonly ConfigEntry[],
  own: readonly ConfigEntry[],
): void {
  const ours = new Set(own.map(({ key }) => key));
  const kept = found.filter(({ key }) => KEPT.test(key) && !ours.has(key) && !LFS_WITH_LOGIN.test(key));
  replaceFile(context.fs, join(gitDir, "config"), [...kept, ...own].map(formatEntry).join(""), PRIVATE_MODE);
  replaceFile(context.fs, join(gitDir, MARK_FILE), MARK_TEXT);
  context.fs.mkdirSync(join(gitDir, "info"), { recursive: true });
  replaceFile(context.fs, join(gitDir, SPARSE_FILE), SPARSE_TEXT);
}

/** Whether only the owner can read the configuration: `http.*` may contain headers with tokens. */
export function isPrivateConfig({ fs }: Context, gitDir: string): boolean {
  const { mode } = fs.statSync(join(gitDir, "config"));
  return Deno.build.os === "windows" || mode === null || (mode & 0o077) === 0;
}

/** Whether the mark file exists. */
export function hasMarkFile(context: Context, gitDir: string): boolean {
  return findEntry(context.fs, join(gitDir, MARK_FILE)) !== undefined;
}

/** Returns an entry in the format of git-config(1), with special characters quoted. */
function formatEntry({ key, value }: ConfigEntry): string {
  const [first, last] = [key.indexOf("."), key.lastIndexOf(".")];
  const section = key.slice(0, first);
  const subsection = first === last ? "" : ` ${quoteValue(key.slice(first + 1, last))}`;
  return `[${section}${subsection}]\n\t${key.slice(last + 1)} = ${quoteValue(value)}\n`;
}

function quoteValue(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}
