import { FailedError } from "../core/errors.ts";
import { encodePieces } from "../core/encode_pieces.ts";
import type { Git } from "./git.ts";
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

/** Whether a path is removed. */
export function isRemoval({ mode }: StagedEntry): boolean {
  return Number(mode) === 0;
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
  const names = marked.map((line) => line.slice("H ".length));
  for (const mark of ["--no-assume-unchanged", "--no-skip-worktree"]) {
    const stdin = encodePieces(ended(names));
    await registry.git.bytes(["update-index", mark, "-z", "--stdin"], { action, stdin });
  }
}

/** Yields each path with the NUL after it. */
function* ended(paths: Iterable<string>): Generator<string> {
  for (const path of paths) yield `${path}\0`;
}

/**
 * Returns those of the new models that attributes put into Git LFS, and refuses other filters: the next checkout would
 * have other files than were published.
 *
 * @param git with an index of the commit, whose attributes apply
 * @param paths relative to the model folder, as those that are returned
 * @throws {FailedError} code `GIT_CONVERTS`
 */
export async function findInLfs(git: Git, subdir: string, paths: readonly string[]): Promise<Set<string>> {
  const inLfs = new Set<string>();
  if (paths.length === 0) return inLfs;
  const inRepository = {
    *[Symbol.iterator]() {
      for (const path of paths) yield `${subdir}/${path}`;
    },
  };
  for (const [path, filter] of await filtersOf(git, inRepository, ["--cached"])) {
    if (filter === "lfs") inLfs.add(path.slice(subdir.length + 1));
    else if (!["unspecified", "unset"].includes(filter)) {
      throw new FailedError(
        `Cannot publish ${path.slice(subdir.length + 1)}: the filter "${filter}" may rewrite it`,
        {
          code: "GIT_CONVERTS",
          hint: `exclude the models in the attributes that set the filter: ${ATTRIBUTE_PLACES}`,
        },
      );
    }
  }
  return inLfs;
}

/** Whether attributes of any file put one of these paths into Git LFS. */
export async function isAnyInLfs(registry: Registry, paths: readonly string[]): Promise<boolean> {
  if (paths.length === 0) return false;
  for (const [, filter] of await filtersOf(registry.git, paths, [])) if (filter === "lfs") return true;
  return false;
}

/** Returns the filter that attributes set for each path, `lfs`, `unspecified` …, without a list of those of many files. */
async function filtersOf(
  git: Git,
  paths: Iterable<string>,
  options: readonly string[],
): Promise<Iterable<[path: string, filter: string]>> {
  const output = await git.text(["check-attr", ...options, "-z", "--stdin", "filter"], {
    action: `look for filters in ${git.repoDir}`,
    stdin: encodePieces(ended(paths)),
  });
  return parseFilters(output);
}

/** Each answer is a path, the attribute's name and its value, each with a NUL after it. */
function* parseFilters(output: string): Generator<[path: string, filter: string]> {
  for (let start = 0; start < output.length;) {
    const pathEnd = output.indexOf("\0", start);
    const nameEnd = output.indexOf("\0", pathEnd + 1);
    const end = output.indexOf("\0", nameEnd + 1);
    if (pathEnd === -1 || nameEnd === -1 || end === -1) return;
    yield [output.slice(start, pathEnd), output.slice(nameEnd + 1, end)];
    start = end + 1;
  }
}

/** The places of attributes, for hints. */
export const ATTRIBUTE_PLACES =
  "the repository's .gitattributes, the clone's .git/info/attributes, or your own for all clones (core.attributesFile)";

/** Returns the error for a commit in which git stored something else than what was read. */
export function converted(path: string, problem: string): FailedError {
  return new FailedError(`Cannot publish ${path}: ${problem}`, {
    code: "GIT_CONVERTS",
    hint:
      `remove the filter or program that rewrites it in the clone; filters are set by ${ATTRIBUTE_PLACES}`,
  });
}
