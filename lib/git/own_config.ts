import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { findEntry, PRIVATE_MODE, replaceFile } from "../core/files.ts";

/**
 * The kinds of clones that this program makes. A `blobless` one is for pulls: files are fetched by name, and only those
 * that the store does not hold. A `whole` one is for publishing, which needs a worktree.
 */
export type CloneKind = "blobless" | "whole";

/** A value of a clone's own configuration, not of the user's or the system's. */
export interface ConfigEntry {
  /** Section and name in small letters, the part in between as it was written. */
  readonly key: string;
  readonly value: string;
}

/** Marks clones that this program made, in their configuration. */
export const OWN_MARK = "model-sync.own";

/** What kind of clone this program made. */
export const KIND_MARK = "model-sync.clone";

/** Marks clones that this program made, where their configuration is lost. */
const MARK_FILE = "model-sync.own";
const MARK_TEXT = "model-sync made this clone, and replaces it when it is damaged.\n";

/**
 * What the configuration of a clone of our own may hold: what this program, git and git-lfs write there, and settings
 * that say who commits and how HTTP connects. Everything else is removed. A list of what runs programs would be
 * outdated by the next git: `core.fsmonitor`, `core.hooksPath`, `core.sshCommand`, `filter.*`, `include.*` …
 */
const KEPT = new RegExp(
  `^(?:${
    [
      "model-sync\\..*",
      "core\\.(?:repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode|symlinks)",
      "core\\.(?:compression|bigfilethreshold|autocrlf|sharedrepository)",
      "extensions\\.objectformat",
      "gc\\.auto",
      "remote\\..*\\.(?:url|fetch|tagopt)",
      "branch\\..*\\.(?:remote|merge)",
      "lfs\\.(?:repositoryformatversion|(?:.*\\.)?(?:access|locksverify))",
      "(?:user|author|committer)\\.(?:name|email)",
      // Cookie files are written by git, wherever the setting points.
      "http\\.(?:.*\\.)?(?!cookiefile$|savecookies$)[a-z0-9]+",
    ].join("|")
  })$`,
  "s",
);

/** What git-lfs noted about an address with a login; it notes it again. */
const LFS_WITH_LOGIN = /^lfs\..*:\/\/[^/]*@/s;

/** By these a git fetches what is missing whenever it looks for it; earlier versions of this program set them. */
const LAZY = /^(?:remote\..*\.(?:promisor|partialclonefilter)|extensions\.partialclone)$/s;

/** The settings of a clone of our own that neither this program nor git put there. */
export function foreignKeys(entries: readonly ConfigEntry[]): string[] {
  return [...new Set(entries.map(({ key }) => key).filter((key) => !KEPT.test(key) && !LAZY.test(key)))];
}

/** Whether these settings let git fetch missing objects whenever it looks for them. */
export function isLazy(entries: readonly ConfigEntry[]): boolean {
  return entries.some(({ key }) => LAZY.test(key));
}

/** What a clone of our own always says, also to a git that is run in it by hand. */
export function ownEntries(remote: string, url: string, kind: CloneKind): ConfigEntry[] {
  return Object.entries({
    [OWN_MARK]: "true",
    // Without git's own mark of a partial clone: git would fetch objects whenever it misses one, and for each that is
    // damaged start fetches that start fetches.
    [KIND_MARK]: kind,
    "core.compression": "0",
    "core.bigfilethreshold": "8m",
    "core.autocrlf": "false",
    "gc.auto": "0",
    [`remote.${remote}.url`]: url,
    [`remote.${remote}.fetch`]: `+refs/heads/*:refs/remotes/${remote}/*`,
    [`remote.${remote}.tagopt`]: "--no-tags",
  }).map(([key, value]) => ({ key, value }));
}

/** Writes the configuration of a clone of our own: what may stay of the one that is there, and our own settings. */
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
}

/** Whether other users are kept out of the configuration: `http.*` may hold headers with tokens. */
export function isPrivateConfig({ fs }: Context, gitDir: string): boolean {
  const { mode } = fs.statSync(join(gitDir, "config"));
  return Deno.build.os === "windows" || mode === null || (mode & 0o077) === 0;
}

/** Whether the mark of our own is beside the configuration. */
export function hasMarkFile(context: Context, gitDir: string): boolean {
  return findEntry(context.fs, join(gitDir, MARK_FILE)) !== undefined;
}

/** A setting as git-config(1) reads it, whatever characters it holds. */
function formatEntry({ key, value }: ConfigEntry): string {
  const [first, last] = [key.indexOf("."), key.lastIndexOf(".")];
  const section = key.slice(0, first);
  const subsection = first === last ? "" : ` ${quoteValue(key.slice(first + 1, last))}`;
  return `[${section}${subsection}]\n\t${key.slice(last + 1)} = ${quoteValue(value)}\n`;
}

function quoteValue(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}
