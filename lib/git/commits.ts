import type { Git } from "./git.ts";
import type { ObjectId } from "./object_id.ts";

const COMPLAINT = /^(?:fatal|error): |^warning: ignoring (?:broken|dangling) /;

/** A clone of a user's may do without an alternate. */
const ALTERNATE_GONE =
  /^error: (?:object directory .* does not exist; check |unable to normalize alternate )/;

/**
 * Returns the commit that a name stands for; `undefined` if the clone has no such reference, or does not hold such a
 * commit.
 *
 * @param isLazy git fetches what it misses, and must not
 * @throws {FailedError} code `GIT_DAMAGED` when it has one that cannot be read
 */
export async function findCommit(git: Git, name: string, isLazy: boolean): Promise<ObjectId | undefined> {
  const action = `look for ${name}`;
  const missing = isLazy ? ["--missing=allow-any"] : [];
  const result = await git.attempt(["rev-list", "--no-walk", "--max-count=1", ...missing, name, "--"], {
    action,
  });
  const commit = new TextDecoder().decode(result.stdout).trim();
  if (result.code === 0 && commit !== "") return commit;
  // Of a name that stands for nothing git complains of nothing else. What it and the system say besides (warnings,
  // GIT_TRACE, a library that cannot be preloaded) is no complaint.
  const complaints = result.stderr.split("\n").filter((line) => COMPLAINT.test(line));
  const isAbsent = complaints.every((line) =>
    line === `fatal: bad revision '${name}'` || ALTERNATE_GONE.test(line) ||
    (/^[0-9a-f]{40,64}$/.test(name) && line === `fatal: bad object ${name}`)
  );
  if (!isAbsent) throw git.error(action, result);
  return undefined;
}

/** How two commits relate to each other. */
export type Relation = "same" | "behind" | "ahead" | "diverged";

/**
 * Returns how `ours` relates to `theirs`: `behind` means that it can be fast-forwarded to `theirs`.
 *
 * @param isLazy git would fetch missing objects by itself, and must not
 */
export async function relationOf(
  git: Git,
  ours: ObjectId,
  theirs: ObjectId,
  isLazy: boolean,
): Promise<Relation> {
  if (ours === theirs) return "same";
  if (await isAncestor(git, ours, theirs)) return "behind";
  if (await isAncestor(git, theirs, ours)) return "ahead";
  // Where commits are missing in between, related histories look unrelated.
  const missing = isLazy ? ["--missing=allow-any"] : [];
  await git.bytes(["rev-list", "--quiet", ...missing, ours, theirs, "--"], { action: "compare commits" });
  return "diverged";
}

async function isAncestor(git: Git, older: ObjectId, newer: ObjectId): Promise<boolean> {
  const result = await git.attempt(["merge-base", "--is-ancestor", older, newer], {
    action: "compare commits",
  });
  if (result.code > 1) throw git.error("compare commits", result);
  return result.code === 0;
}
