import type { Context } from "../../core/context.ts";
import { ModelSyncError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { GitHubClient } from "../../github/github_client.ts";
import type { Category } from "../categories.ts";
import { listPullRequests, type PullRequestRoute, PullRequests } from "./pull_requests.ts";

/** What older pull requests are told, in the words of the original. */
const COMMENT = "This PR is being automatically closed because a new sync operation has been initiated.\n\n" +
  "A new PR with updated changes will be created shortly.";

/** Five hundred open ones are more than anybody looks at. */
const PAGES_MAX = 10;

/**
 * Closes the open pull requests of earlier runs that had a branch each: `sync/<category>/…` and `sync/multi-category/…`.
 * What does not work is a warning in the log.
 *
 * @param category of which alone the new pull request is; `undefined` when it is of several, which replaces all others
 * @returns the pages of those that were closed
 * @throws the signal's reason, nothing else
 */
export async function closeOlder(
  context: Context,
  client: GitHubClient,
  route: PullRequestRoute,
  category: Category | undefined,
): Promise<readonly string[]> {
  const where = `${route.owner}/${route.name}`;
  const closed: string[] = [];
  await orWarn(context, `Cannot close older pull requests of ${where}`, async () => {
    const open = await listPullRequests(client, route, { state: "open" }, PAGES_MAX);
    for (const pullRequest of open.filter(({ head }) => head !== route.head && isOlder(head, category))) {
      await orWarn(context, `An older pull request stays open: ${pullRequest.url}`, async () => {
        await new PullRequests(context, client, route).close(pullRequest, COMMENT);
        closed.push(pullRequest.url);
      });
    }
  });
  return closed;
}

/**
 * Whether a branch is one that the new pull request replaces.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { isOlder } from "./close_older.ts";
 * assert.equal(isOlder("sync/clip/20251025-120000", "clip"), true);
 * assert.equal(isOlder("sync/multi-category/20251025-120000", "clip"), true);
 * assert.equal(isOlder("sync/blip/20251025-120000", "clip"), false);
 * assert.equal(isOlder("sync/blip/20251025-120000", undefined), true);
 * assert.equal(isOlder("fix/sync/clip/1", undefined), false);
 * ```
 */
export function isOlder(branch: string, category: Category | undefined): boolean {
  if (!branch.startsWith("sync/")) return false;
  return category === undefined || branch.includes(`sync/${category}/`) ||
    branch.includes("sync/multi-category/");
}

async function orWarn(
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
  problem: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (signal.aborted || !(error instanceof ModelSyncError)) throw error;
    log.warn(`${problem} (${error.message})`);
  }
}
