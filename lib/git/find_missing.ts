import type { Git } from "./git.ts";
import type { ObjectId } from "./object_id.ts";

/**
 * Returns the names of the commit's blobs that a clone does not hold. A partial clone does not fetch them for this
 * check.
 */
export async function findMissing(git: Git, commit: ObjectId, ids: readonly ObjectId[]): Promise<ObjectId[]> {
  if (ids.length === 0) return [];
  const output = await git.text(
    ["rev-list", "--objects", "--no-object-names", "--missing=print", "--max-count=1", commit, "--"],
    { action: "look for files in the clone" },
  );
  const missing = new Set(
    output.split("\n").filter((line) => line.startsWith("?")).map((line) => line.slice(1)),
  );
  return ids.filter((id) => missing.has(id));
}

/** As {@link findMissing}, for a few blobs of a clone that fetches nothing by itself. */
export async function findMissingAmong(git: Git, ids: readonly ObjectId[]): Promise<ObjectId[]> {
  if (ids.length === 0) return [];
  const output = await git.text(["cat-file", "--batch-check=%(objectname)"], {
    action: "look for files in the clone",
    stdin: `${ids.join("\n")}\n`,
  });
  const missing = new Set(
    output.split("\n").filter((line) => line.endsWith(" missing")).map((line) => line.split(" ")[0]),
  );
  return ids.filter((id) => missing.has(id));
}

/** Fewer files are fetched by name in no time. */
const FOLDER_FILES_MIN = 256;

/** Whether nearly all files of a folder are missing, and many: then it is fetched as a whole. */
export function areNearlyAll(missing: readonly ObjectId[], fileCount: number): boolean {
  return missing.length > FOLDER_FILES_MIN && missing.length > fileCount * 0.9;
}
