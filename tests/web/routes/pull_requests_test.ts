import assert from "node:assert/strict";
import { openPages } from "../../helpers/pages_world.ts";
import * as events from "../../helpers/web_events.ts";

const NODE = "ops-1/references";

function at(hour: number): string {
  return new Date(Date.UTC(2026, 10, 28, hour)).toISOString();
}

Deno.test("open pull requests come first, with the result of the last sync and a link to its run", async () => {
  using pages = await openPages([
    events.pullRequest(NODE, { number: 7, time: at(1) }),
    events.pullRequest(NODE, { number: 7, time: at(3), outcome: "updated", changes: 5 }),
    events.pullRequest(NODE, { number: 6, time: at(4), outcome: "closed", changes: 0 }),
  ]);
  const { text, html } = await pages.see("/pull-requests");
  assert.match(text, /1 pull request is open in 1 repository/);
  assert.match(
    text,
    /Open 1 .*you\/bots #7 updated 5 yesterday 01:00 yesterday 03:00 Show the run ops-1\/references/,
  );
  assert.match(text, /Closed 1 .*you\/bots #6 closed/);
  assert.ok(text.indexOf("#7") < text.indexOf("#6"));
  assert.ok(html.includes('href="https://github.com/you/bots/pull/7"'));
  const run = encodeURIComponent(events.runIdOf(at(3), "references-sync"));
  assert.ok(html.includes(`/runs/${run}?node=ops-1%2Freferences`));
});

Deno.test("the filter shows the pull requests of one repository", async () => {
  using pages = await openPages([
    events.pullRequest(NODE, { repository: "you/bots" }),
    events.pullRequest(NODE, { repository: "you/desk & co", number: 9 }),
  ]);
  const { html, text } = await pages.see(`/pull-requests?repository=${encodeURIComponent("you/desk & co")}`);
  assert.ok(text.includes("you/desk & co #9") && !text.includes("you/bots #7"));
  assert.match(html, /<form class="filters" method="get" action="\/pull-requests"/);
  const none = await pages.see("/pull-requests?repository=other");
  assert.equal(none.status, 200);
  assert.match(none.text, /No pull requests for this repository/);
});

Deno.test("a pull request links only to web addresses", async () => {
  const hostile = [
    "javascript:alert(1)",
    "data:text/html,x",
    "//evil.example",
    "not an address",
    "file:///etc/passwd",
  ];
  using pages = await openPages(
    hostile.map((url, index) => events.pullRequest(NODE, { url, number: index + 1, time: at(index) })),
  );
  const { html, text } = await pages.see("/pull-requests");
  for (const [index, url] of hostile.entries()) {
    assert.ok(text.includes(`#${index + 1}`));
    assert.ok(!html.includes(`href="${url}`), url);
  }
});

Deno.test("the pages of pull requests have each one once", async () => {
  using pages = await openPages(
    Array.from({ length: 230 }, (_, index) =>
      events.pullRequest(NODE, {
        number: index + 1,
        time: new Date(Date.UTC(2026, 10, 1) + index * 60_000).toISOString(),
        outcome: index % 2 === 0 ? "created" : "closed",
      })),
  );
  const seen: string[] = [];
  for (const page of ["", "?page=2", "?page=3"]) {
    const { text } = await pages.see(`/pull-requests${page}`);
    seen.push(...[...text.matchAll(/#(\d+)/g)].map(([, number = ""]) => number));
  }
  assert.equal(seen.length, 230);
  assert.equal(new Set(seen).size, 230);
  assert.equal(seen[0], "229");
  for (const page of ["0", "-1", "x", "99999999", "4"]) {
    assert.equal((await pages.see(`/pull-requests?page=${page}`)).status, 200, page);
  }
});

Deno.test("a page without pull requests explains the reference sync and shows a command", async () => {
  using pages = await openPages([]);
  const { text } = await pages.see("/pull-requests");
  assert.match(text, /No reference sync has opened a pull request yet/);
  assert.match(text, /model-sync references-sync --dry-run/);
});
