import assert from "node:assert/strict";
import { ingest } from "../../../web/store/ingest.ts";
import { PAGE_ROWS_MAX } from "../../../web/store/page_range.ts";
import { readNews, readRuns } from "../../../web/store/read_runs.ts";
import { readPullRequests } from "../../../web/store/pull_request_rows.ts";
import { readReleases } from "../../../web/store/read_releases.ts";
import type { ReportEvent } from "../../../lib/wire/schema.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import * as events from "../../helpers/web_events.ts";

const NODE = "bot, 1%/client";

async function filled(...batch: readonly ReportEvent[]): Promise<Deno.Kv> {
  const kv = await Deno.openKv(":memory:");
  await ingest({ kv, clock: new FakeClock("2026-11-29T07:00:00Z") }, batch);
  return kv;
}

function at(minute: number): string {
  return new Date(Date.UTC(2026, 10, 29, 0, minute)).toISOString();
}

Deno.test("pages of a list have each row once, newest first, and the last page has no next one", async () => {
  const runs = Array.from({ length: 7 }, (_, minute) => events.failed(NODE, { startedAt: at(minute) }));
  using kv = await filled(...runs, events.failed("other", { startedAt: at(3) }));
  for (const limit of [1, 3, 7, 10]) {
    for (const read of [readRuns.bind(null, kv, NODE), readNews.bind(null, kv)]) {
      const seen: string[] = [];
      let before: string | undefined;
      do {
        const page = await read({ limit, before });
        assert.ok(page.rows.length <= limit);
        seen.push(...page.rows.map(({ node, runId }) => `${runId} ${node}`));
        before = page.older;
      } while (before !== undefined);
      const wanted = [...runs.map(({ data }) => `${data.runId} ${NODE}`)];
      if (seen.length > 7) wanted.push(`${events.runIdOf(at(3))} other`);
      assert.deepEqual(seen, wanted.sort().reverse());
    }
  }
});

Deno.test("a time is a valid cursor, so that the activity between two times can be read", async () => {
  const runs = [1, 2, 3, 4].map((minute) =>
    events.failed(NODE, { startedAt: at(minute), durationMs: 1_000 })
  );
  using kv = await filled(...runs);
  const page = await readNews(kv, { limit: 10, after: at(2), before: at(4) });
  assert.deepEqual(page.rows.map(({ startedAt }) => startedAt), [at(3), at(2)]);
});

Deno.test("any invalid cursor is rejected", async () => {
  using kv = await filled(events.failed(NODE));
  const hostile = [
    "",
    "x",
    "%",
    "2026-11-29T00:00:00.000Z,a,b,c,d",
    `2026-11-29T00:00:00.000Z,${"x".repeat(3_000)}`,
    `2026-11-29T00:00:00.000Z,${"%F0%9F%9A%80".repeat(400)}`,
    "\u0000",
    "9".repeat(100_000),
  ];
  for (const before of hostile) {
    for (
      const read of [readRuns.bind(null, kv, NODE), readNews.bind(null, kv), readReleases.bind(null, kv)]
    ) {
      await assert.rejects(() => read({ limit: 10, before }), { code: "CURSOR_INVALID" });
    }
  }
});

Deno.test("a page has a bounded number of rows, whatever the limit in the request", async () => {
  const runs = Array.from(
    { length: PAGE_ROWS_MAX + 5 },
    (_, minute) => events.finished(NODE, { startedAt: at(minute) }),
  );
  using kv = await filled(...runs);
  const lengths = [0, -5, 1e9, NaN, Infinity, 2.5].map(async (limit) =>
    (await readRuns(kv, NODE, { limit })).rows.length
  );
  assert.deepEqual(await Promise.all(lengths), [1, 1, PAGE_ROWS_MAX, PAGE_ROWS_MAX, PAGE_ROWS_MAX, 2]);
});

Deno.test("a node whose name is too long for a key has no runs", async () => {
  using kv = await filled(events.finished(NODE));
  for (const name of ["", "x".repeat(5_000), "\u{1f680}".repeat(200)]) {
    assert.deepEqual((await readRuns(kv, name, { limit: 5 })).rows, []);
  }
});

Deno.test("releases are sorted by when they were first seen, however many there are", async () => {
  const published = Array.from(
    { length: 23 },
    (_, index) => events.published("trainer", index + 1, { time: at(index) }),
  );
  using kv = await filled(...published);
  const first = await readReleases(kv, { limit: 20 });
  const second = await readReleases(kv, { limit: 20, before: first.older });
  const sequences = [...first.rows, ...second.rows].map(({ sequence }) => sequence);
  assert.deepEqual(sequences, Array.from({ length: 23 }, (_, index) => 23 - index));
  assert.equal(second.older, undefined);
});

Deno.test("pull requests are sorted by their last change", async () => {
  using kv = await filled(
    events.pullRequest("trainer", { time: at(1), number: 7 }),
    events.pullRequest("trainer", { time: at(3), number: 9 }),
    events.pullRequest("trainer", { time: at(2), number: 8, repository: "you/others" }),
  );
  assert.deepEqual((await readPullRequests(kv)).map(({ number }) => number), [9, 8, 7]);
});
