import assert from "node:assert/strict";
import {
  AuthenticationError,
  FailedError,
  RefusedError,
  TransientError,
  UnreachableError,
} from "../../lib/core/errors.ts";
import { exitCodeOf, failuresOf, resultOf } from "../../lib/references/sync_failures.ts";
import type { CategoryReport, RepositoryReport, SyncReport } from "../../lib/references/sync_references.ts";

const REPOSITORY = "you/images";

function category(error: Error): CategoryReport {
  return { category: "clip", repository: REPOSITORY, status: "failed", error };
}

function repository(error: Error): RepositoryReport {
  return { repository: REPOSITORY, kind: "failed", changes: 1, error };
}

const COMPARED: CategoryReport = {
  category: "blip",
  repository: REPOSITORY,
  status: "compared",
  plan: {
    category: "blip",
    changes: [],
    files: new Map(),
    shrink: { removed: 0, emptied: 0, before: 1 },
    skipped: [],
    counts: { primary: 1, files: 1 },
    warnings: [],
  },
};

const UNLABELLED: RepositoryReport = {
  repository: REPOSITORY,
  kind: "proposed",
  outcome: "created",
  pullRequest: undefined,
  changes: 1,
  pending: ["labels"],
};

const AWAY = new TransientError("Cannot read the records of clip: no answer", { code: "UNREACHABLE" });
const LACKING = new UnreachableError("Cannot read the records of clip: none", { code: "RECORDS_MISSING" });
const HELD_BACK = new RefusedError("Cannot propose the changes of clip", { code: "SHRINK" });
const NO_GIT = new UnreachableError("Cannot clone you/images: no route to host", { code: "GIT_UNREACHABLE" });
const REFUSED = new UnreachableError("Cannot read the pull requests", { code: "PROXY_REFUSED" });
const UNKNOWN = new AuthenticationError("Cannot clone you/images", { code: "GIT_AUTHENTICATION" });
const MOVED = new FailedError("Cannot push: somebody else pushed", { code: "BRANCH_MOVED" });

/** The result of a sync for a watch and for a script. */
const CASES: readonly (readonly [
  claim: string,
  categories: readonly CategoryReport[],
  repositories: readonly RepositoryReport[],
  kind: string,
  exitCode: number,
])[] = [
  ["nothing failed", [COMPARED], [], "complete", 0],
  ["labels are missing", [COMPARED], [UNLABELLED], "incomplete", 0],
  ["PRIMARY is away", [category(AWAY), category(AWAY)], [], "outage", 1],
  ["PRIMARY does not answer for one category", [category(AWAY), COMPARED], [], "incomplete", 1],
  ["PRIMARY lacks one category", [category(LACKING), COMPARED], [], "incomplete", 1],
  ["PRIMARY lacks every category", [category(LACKING)], [], "incomplete", 1],
  [
    "PRIMARY lacks one category and is away for another",
    [category(LACKING), category(AWAY)],
    [],
    "incomplete",
    1,
  ],
  ["a change is held back", [category(HELD_BACK), COMPARED], [], "incomplete", 1],
  ["GitHub cannot be cloned from", [category(NO_GIT)], [], "outage", 1],
  ["GitHub's API is away", [COMPARED], [repository(AWAY)], "outage", 1],
  ["a proxy refuses GitHub's API", [COMPARED], [repository(REFUSED)], "outage", 1],
  ["a push lost a race", [COMPARED], [repository(MOVED)], "incomplete", 1],
  ["GitHub refuses the token", [category(UNKNOWN), category(UNKNOWN)], [], "outage", 3],
  ["GitHub refuses the token for one repository", [category(UNKNOWN), COMPARED], [], "incomplete", 3],
  [
    "GitHub refuses a push, and a category is missing",
    [category(LACKING), COMPARED],
    [repository(UNKNOWN)],
    "outage",
    3,
  ],
];

for (const [claim, categories, repositories, kind, exitCode] of CASES) {
  Deno.test(`resultOf() and exitCodeOf() where ${claim}: ${kind}, ${exitCode}`, () => {
    const report: SyncReport = { categories, repositories, patchPath: undefined };
    assert.equal(resultOf(report).kind, kind);
    assert.equal(exitCodeOf(report), exitCode);
  });
}

Deno.test("failuresOf() begins with a rejected token, which is why the others fail", () => {
  const report = {
    categories: [category(LACKING)],
    repositories: [repository(UNKNOWN)],
    patchPath: undefined,
  };
  assert.deepEqual(failuresOf(report), [UNKNOWN, LACKING]);
});
