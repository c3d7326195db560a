import { EVENT_TYPES, nodeOf } from "../../lib/wire/event_names.ts";
import type { EventOf, ReportEvent } from "../../lib/wire/schema.ts";
import { compareAndSet } from "./commit.ts";
import { keys } from "./keys.ts";
import { PullRequestRow } from "./rows.ts";
import { utc, word } from "./row_values.ts";
import { readRows } from "./read_rows.ts";

/** Stores the pull requests of reference syncs. The newest event of each pull request wins. */
export async function ingestPullRequests(kv: Deno.Kv, events: readonly ReportEvent[]): Promise<void> {
  for (const event of events) {
    // Without a number there is no pull request: there were no differences, or it was a dry run.
    if (event.type === EVENT_TYPES.pullRequest && event.data.number !== undefined) {
      await notePullRequest(kv, event, event.data.number);
    }
  }
}

async function notePullRequest(
  kv: Deno.Kv,
  { source, time, data }: EventOf<"pullRequest">,
  number: number,
): Promise<void> {
  const { repository, url, outcome, changes, runId } = data;
  const node = nodeOf(source);
  const key = keys.pullRequest(node, repository, number);
  const at = utc(time);
  await compareAndSet(async () => {
    const entry = await kv.get(key);
    const before = PullRequestRow.safeParse(entry.value).data;
    const isNewer = before === undefined || at > before.at || (at === before.at && runId > before.runId);
    const firstAt = before === undefined || at < before.firstAt ? at : before.firstAt;
    if (!isNewer && firstAt === before.firstAt) return undefined;
    const said = { repository, number, outcome: word(outcome), changes, node, runId, at };
    const after: PullRequestRow = {
      ...(isNewer ? { ...said, ...(url === undefined ? {} : { url }) } : before),
      firstAt,
    };
    return { guards: [entry], operation: kv.atomic().set(key, after) };
  });
}

/** Ten repositories with one pull request a day, within the retention. */
const PULL_REQUESTS_MAX = 2_000;

/** Returns the pull requests of reference syncs, the last changed first. */
export async function readPullRequests(kv: Deno.Kv): Promise<readonly PullRequestRow[]> {
  const rows = await readRows(kv, keys.pullRequests(), PullRequestRow, PULL_REQUESTS_MAX);
  return rows.sort((a, b) => a.at < b.at ? 1 : -1);
}
