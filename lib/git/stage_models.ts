import { join, posix } from "node:path";
import type { Context } from "../core/context.ts";
import { FailedError } from "../core/errors.ts";
import { findEntry } from "../core/files.ts";
import { plural } from "../core/format.ts";
import { BIG_FILE_BYTES } from "./git.ts";
import type { ObjectId } from "./object_id.ts";
import type { Registry } from "./registry.ts";

/** A path of the index that differs from a commit. */
export interface StagedEntry {
  /** Relative to the repository. */
  readonly path: string;
  /** `000000` for a removed path. */
  readonly mode: string;
  readonly blob: ObjectId;
}

/**
 * Stages exactly these paths, existing or removed, whatever the ignore rules say. A file replaces a folder of its name.
 *
 * Large files are staged separately: git writes them into a pack. With `core.fsyncMethod=batch`, a loose object written
 * before moves the unfinished pack away, and git 2.36 and later fail with "unable to rename temporary file".
 */
export async function stagePaths(
  { fs }: Pick<Context, "fs">,
  registry: Registry,
  paths: readonly string[],
): Promise<void> {
  const sizeOf = (path: string) => findEntry(fs, join(registry.git.repoDir, path))?.size ?? 0;
  const { large = [], small = [] } = Object.groupBy(
    paths,
    (path) => sizeOf(path) >= BIG_FILE_BYTES ? "large" : "small",
  );
  await stageTogether(registry, small, "batch");
  await stageTogether(registry, large, "fsync");
}

async function stageTogether(
  registry: Registry,
  paths: readonly string[],
  fsyncMethod: "batch" | "fsync",
): Promise<void> {
  if (paths.length === 0) return;
  // In a partial clone, git would request every new file from the remote to see whether it has it.
  const git = registry.git.with({
    env: { GIT_NO_LAZY_FETCH: "1" },
    config: [`core.fsyncMethod=${fsyncMethod}`],
  });
  await git.bytes(["update-index", "--add", "--remove", "--replace", "-z", "--stdin"], {
    action: `stage ${plural(paths.length, "file")} in ${registry.git.repoDir}`,
    stdin: joined(paths),
    transfer: true,
  });
}

/**
 * Removes the marks "assume unchanged" and "skip worktree" below these paths. Git ignores changes of files with the
 * first, and removes files with the second from the index.
 */
export async function removeMarks(registry: Registry, paths: readonly string[]): Promise<void> {
  const action = `stage files in ${registry.git.repoDir}`;
  const output = await registry.git.text(["--literal-pathspecs", "ls-files", "-v", "-z", "--", ...paths], {
    action,
  });
  const marked = output.split("\0").filter((line) => line !== "" && !line.startsWith("H "));
  if (marked.length === 0) return;
  const stdin = joined(marked.map((line) => line.slice("H ".length)));
  for (const mark of ["--no-assume-unchanged", "--no-skip-worktree"]) {
    await registry.git.bytes(["update-index", mark, "-z", "--stdin"], { action, stdin });
  }
}

function joined(paths: readonly string[]): string {
  return paths.map((path) => `${path}\0`).join("");
}

/** Returns the index entries at these paths that differ from a commit; all of them without a commit. */
export async function findStaged(
  registry: Registry,
  head: ObjectId | undefined,
  paths: readonly string[],
): Promise<StagedEntry[]> {
  const action = `compare the models in ${registry.git.repoDir}`;
  const against = head ?? await registry.git.text(["mktree"], { action, stdin: "" });
  const output = await registry.git.text(
    [
      "--literal-pathspecs",
      "diff-index",
      "--cached",
      "--raw",
      "--no-renames",
      "--no-abbrev",
      "-z",
      against,
      "--",
      ...paths,
    ],
    { action },
  );
  const fields = output.split("\0");
  const staged: StagedEntry[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [, mode, , blob] = fields[index]?.split(" ") ?? [];
    const path = fields[index + 1];
    if (mode !== undefined && blob !== undefined && path !== undefined) staged.push({ path, mode, blob });
  }
  return staged;
}

/**
 * Refuses filters that rewrite models: the next checkout would have other files than were published.
 *
 * @throws {FailedError} code `GIT_CONVERTS`, unless the filter is Git LFS's
 */
export async function refuseFilters(
  registry: Registry,
  subdir: string,
  staged: readonly StagedEntry[],
): Promise<void> {
  const present = staged.filter(({ mode }) => mode !== GONE).map(({ path }) => path);
  for (const [path, filter] of await filtersOf(registry, present)) {
    if (["unspecified", "unset", "lfs"].includes(filter)) continue;
    throw new FailedError(
      `Cannot publish ${posix.relative(subdir, path)}: the filter "${filter}" may rewrite it`,
      {
        code: "GIT_CONVERTS",
        hint: `exclude the models in the attributes that set the filter: ${ATTRIBUTE_PLACES}`,
      },
    );
  }
}

/** Whether attributes of any file put one of these paths into Git LFS. */
export async function isAnyInLfs(registry: Registry, paths: readonly string[]): Promise<boolean> {
  return (await filtersOf(registry, paths)).some(([, filter]) => filter === "lfs");
}

/** Returns the filter that attributes set for each path: `lfs`, `unspecified` … */
async function filtersOf(
  registry: Registry,
  paths: readonly string[],
): Promise<[path: string, filter: string][]> {
  if (paths.length === 0) return [];
  const output = await registry.git.text(["check-attr", "-z", "--stdin", "filter"], {
    action: `look for filters in ${registry.git.repoDir}`,
    stdin: joined(paths),
  });
  const fields = output.split("\0");
  const filters: [string, string][] = [];
  for (let index = 0; index + 2 < fields.length; index += 3) {
    const [path = "", , filter = ""] = fields.slice(index, index + 3);
    filters.push([path, filter]);
  }
  return filters;
}

/** The places of attributes, for hints. */
export const ATTRIBUTE_PLACES =
  "the repository's .gitattributes, the clone's .git/info/attributes, or your own for all clones (core.attributesFile)";

/** The mode of a missing entry. */
const GONE = "000000";
