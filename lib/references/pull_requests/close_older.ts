import { z } from "zod";
import type { Context } from "../../core/context.ts";
import type { GitHubClient } from "../../github/github_client.ts";
import { githubRequest } from "../../github/github_request.ts";
import { CATEGORIES, type Category } from "../../config/sections/references.ts";
import { orWarn } from "./or_warn.ts";
import { listPullRequests, type PullRequest, type PullRequestRoute, PullRequests } from "./pull_requests.ts";

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

/** `sync/clip/20251025-120000`: the time is the machine's. */
const ORIGINAL_BRANCH = new RegExp(`^sync/(?:${[...CATEGORIES, "multi-category"].join("|")})/\\d{8}-\\d{6}$`);

const Files = z.array(z.object({ filename: z.string() }));

/** A pull request of the original changes at most this many files: one for each category, and models.csv. */
const FILES_MAX = 100;

/**
 * Closes the open pull requests of the original, and of the timestamped style, that one of the fixed style replaces:
 * those that change no other files than it is about. What does not work is a warning in the log.
 *
 * @param covered the files that were compared for the new pull request, or are in it
 * @throws the signal's reason, nothing else
 */
export async function closeReplaced(
  context: Context,
  client: GitHubClient,
  route: PullRequestRoute,
  by: PullRequest,
  covered: ReadonlySet<string>,
): Promise<void> {
  const { owner, name, base } = route;
  await orWarn(context, `Cannot look for pull requests that ${by.url} replaces`, async () => {
    const open = await listPullRequests(client, route, { state: "open", base }, PAGES_MAX);
    for (const pullRequest of open.filter(({ head }) => ORIGINAL_BRANCH.test(head))) {
      await orWarn(context, `An older pull request stays open: ${pullRequest.url}`, async () => {
        const request = githubRequest((api) => api.pulls.listFiles, {
          owner,
          repo: name,
          pull_number: pullRequest.number,
          per_page: FILES_MAX,
        }, { what: `the files of ${owner}/${name}#${pullRequest.number}`, needs: "pull_requests:read" });
        const { data, hasNext } = await client.sendRemembered(request, Files);
        if (hasNext || !data.every(({ filename }) => covered.has(filename))) return;
        await new PullRequests(context, client, route).close(
          pullRequest,
          `This pull request is closed because #${by.number} replaces it, which is kept up to date with the PRIMARY instance.`,
        );
        context.log.info(`closed ${pullRequest.url}: ${by.url} replaces it`);
      });
    }
  });
}
