import type { ObjectId } from "./object_id.ts";

/** The result of `git status`. */
export interface WorktreeStatus {
  /** The checked-out commit; `undefined` on a branch without commits. */
  readonly head: ObjectId | undefined;
  /** The checked-out branch; `undefined` for a detached HEAD. */
  readonly branch: string | undefined;
  /** Paths that differ from the commit, or are untracked. */
  readonly dirty: readonly string[];
}

/** A file that is in the index, but not in the worktree. */
const MISSING = "1 .D ";

/**
 * Reads `git status --porcelain=v2 --branch -z` (git-status(1), "Porcelain Format Version 2").
 *
 * @param countsMissing whether files that are only missing from the worktree differ from the commit
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseStatus } from "./worktree_status.ts";
 * const status = parseStatus("# branch.oid (initial)\0# branch.head main\0? new.txt\0");
 * assert.deepEqual(status, { head: undefined, branch: "main", dirty: ["new.txt"] });
 * ```
 */
export function parseStatus(output: string, countsMissing: boolean = true): WorktreeStatus {
  let head: string | undefined;
  let branch: string | undefined;
  const dirty: string[] = [];
  const fields = output.split("\0");
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index] ?? "";
    if (field.startsWith("# branch.oid ")) {
      head = nameOrUndefined(field.slice("# branch.oid ".length), "(initial)");
    } else if (field.startsWith("# branch.head ")) {
      branch = nameOrUndefined(field.slice("# branch.head ".length), "(detached)");
    } else if (field.startsWith("1 ")) {
      if (countsMissing || !field.startsWith(MISSING)) dirty.push(field.split(" ").slice(8).join(" "));
    } else if (field.startsWith("2 ")) {
      dirty.push(field.split(" ").slice(9).join(" "));
      // A rename's old path follows in a separate field.
      index++;
    } else if (field.startsWith("u ")) dirty.push(field.split(" ").slice(10).join(" "));
    else if (field.startsWith("? ")) dirty.push(field.slice(2));
  }
  return { head, branch, dirty };
}

function nameOrUndefined(value: string, absent: string): string | undefined {
  return value === absent ? undefined : value;
}
