import * as z from "zod";
import type { Context } from "../../core/context.ts";
import type { GitHubClient } from "../../github/github_client.ts";
import { githubRequest } from "../../github/github_request.ts";
import { CATEGORIES, type Category } from "../../config/sections/references.ts";
import {
  listPullRequests,
  orWarn,
  type PullRequest,
  type PullRequestRoute,
  PullRequests,
} from "./pull_requests.ts";

/** The comment on older pull requests, in the words of the original tool. */
const COMMENT = "This PR is being automatically closed because a new sync operation has been initiated.\n\n" +
  "A new PR with updated changes will be created shortly.";

/** Ten pages are five hundred open pull requests. */
const PAGES_MAX = 10;

/**
 * Closes open pull requests of earlier runs, which had a branch each: `sync/<category>/…` and `sync/multi-category/…`.
 * Failures are logged as warnings.
 *
 * @param category the only category of the new pull request; `undefined` for several, which replace all others
 * @returns the addresses of the closed ones
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
 * Whether the new pull request replaces the one of a branch.
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

/** `sync/clip/20251025-120000`, in the machine's time zone. */
const ORIGINAL_BRANCH = new RegExp(`^sync/(?:${[...CATEGORIES, "multi-category"].join("|")})/\\d{8}-\\d{6}$`);

const Files = z.array(z.object({ filename: z.string() }));

/** A pull request of the original tool changes at most this many files: one for each category, and models.csv. */
const FILES_MAX = 100;

/**
 * Closes open pull requests of the original tool, and of the timestamped style, that a pull request of the fixed style
 * replaces: those that change no other files. Failures are logged as warnings.
 *
 * @param covered the files that the new pull request contains, or that were compared for it
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
  await orWarn(context, `Cannot find the pull requests that ${by.url} replaces`, async () => {
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
