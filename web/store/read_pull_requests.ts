import { keys } from "./keys.ts";
import { readRows } from "./read_rows.ts";
import { PullRequestRow } from "./rows.ts";

/** The reference syncs of ten repositories, one pull request a day each, within the retention. */
const PULL_REQUESTS_MAX = 2_000;

/** Returns the pull requests of reference syncs, the one that changed last first. */
export async function readPullRequests(kv: Deno.Kv): Promise<readonly PullRequestRow[]> {
  const rows = await readRows(kv, keys.pullRequests(), PullRequestRow, PULL_REQUESTS_MAX);
  return rows.sort((a, b) => a.at < b.at ? 1 : -1);
}
