import type { Git } from "./git.ts";
import type { ObjectId } from "./object_id.ts";

const COMPLAINT = /^(?:fatal|error): |^warning: ignoring (?:broken|dangling) /;

/** A user's clone may work although an alternate is missing. */
const ALTERNATE_GONE =
  /^error: (?:object directory .* does not exist; check |unable to normalize alternate )/;

/**
 * Returns the commit of a reference, or the commit with this name; `undefined` if the clone does not have it.
 *
 * @param isLazy git would fetch missing objects by itself, and must not
 * @throws {FailedError} code `GIT_DAMAGED` if the commit cannot be read
 */
export async function findCommit(git: Git, name: string, isLazy: boolean): Promise<ObjectId | undefined> {
  const action = `find ${name}`;
  const missing = isLazy ? ["--missing=allow-any"] : [];
  const result = await git.attempt(["rev-list", "--no-walk", "--max-count=1", ...missing, name, "--"], {
    action,
    isAlone: true,
  });
  const commit = new TextDecoder().decode(result.stdout).trim();
  if (result.code === 0 && commit !== "") return commit;
  // For an unknown name, git prints one of these lines. Other output (warnings, GIT_TRACE, a library that cannot be
  // preloaded) does not matter.
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
    isAlone: true,
  });
  if (result.code > 1) throw git.error("compare commits", result);
  return result.code === 0;
}
