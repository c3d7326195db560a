import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type FileSystem, findEntry } from "../lib/core/files.ts";
import { SOURCE_ROOT } from "../lib/core/source_root.ts";
import { VERSION } from "../lib/core/version.ts";

/** The folder of the source, or of what `deno compile` packed of it; `undefined` for code of a registry. */
const ROOT = SOURCE_ROOT.startsWith("file:") ? fileURLToPath(SOURCE_ROOT) : undefined;

/** Where `configs/compile.ts` writes the commit for the executable. */
export const COMMIT_FILE = "dist/commit.txt";

/** Returns the version with what a bug report needs. */
export function describeVersion(fs: FileSystem): { readonly json: object; readonly text: string } {
  const commit = findCommit(fs);
  const deno = Deno.version.deno;
  const platform = `${Deno.build.os} ${Deno.build.arch}`;
  const facts = [
    ...(commit === undefined ? [] : [`commit ${commit.slice(0, 12)}`]),
    `Deno ${deno}`,
    platform,
  ];
  return {
    json: { name: "model-sync", version: VERSION, commit: commit ?? null, deno, platform },
    text: `model-sync ${VERSION} (${facts.join(", ")})`,
  };
}

/** Returns the commit of the clone that runs, or the one that was compiled; `undefined` where it is unknown. */
function findCommit(fs: FileSystem): string | undefined {
  if (ROOT === undefined) return undefined;
  try {
    return clonedCommit(fs, ROOT) ?? parseCommit(fs.readTextFileSync(join(ROOT, COMMIT_FILE)));
  } catch {
    // A file is missing, or this process may not read it.
    return undefined;
  }
}

/**
 * Returns the commit that is checked out in a folder, as git's own files say: starting git would cost more than all the
 * rest. `undefined` where the folder is not a clone.
 */
export function clonedCommit(fs: FileSystem, folder: string): string | undefined {
  const entry = findEntry(fs, join(folder, ".git"));
  if (entry === undefined) return undefined;
  const gitDir = entry.isDirectory ? join(folder, ".git") : linkedDir(fs, folder);
  const head = fs.readTextFileSync(join(gitDir, "HEAD"));
  const [, branch] = /^ref: (refs\/\S+)/.exec(head) ?? [];
  if (branch === undefined) return parseCommit(head);
  const shared = findEntry(fs, join(gitDir, "commondir")) === undefined
    ? gitDir
    : resolve(gitDir, fs.readTextFileSync(join(gitDir, "commondir")).trim());
  if (findEntry(fs, join(shared, branch)) !== undefined) {
    return parseCommit(fs.readTextFileSync(join(shared, branch)));
  }
  const packed = fs.readTextFileSync(join(shared, "packed-refs")).split("\n");
  return parseCommit(packed.find((line) => line.endsWith(` ${branch}`)) ?? "");
}

/** A worktree has a file in the place of git's folder. */
function linkedDir(fs: FileSystem, folder: string): string {
  const [, path = ""] = /^gitdir: (.+)/.exec(fs.readTextFileSync(join(folder, ".git"))) ?? [];
  return resolve(folder, path);
}

function parseCommit(text: string): string | undefined {
  return /^[0-9a-f]{40,64}/.exec(text)?.[0];
}
