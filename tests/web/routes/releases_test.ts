import assert from "node:assert/strict";
import type { ReportEvent } from "../../../lib/wire/schema.ts";
import { openPages } from "../../helpers/pages_world.ts";
import * as events from "../../helpers/web_events.ts";

const { digestOfRelease } = events;

/** Returns the time a number of hours after midnight of 28 November. */
function hour(hours: number): string {
  return new Date(Date.UTC(2026, 10, 28) + hours * 3_600_000).toISOString();
}

/** A trainer that publishes a release an hour, and a bot that pulls each half an hour later. */
function story(releases: number, { trainer = "train-1", bot = "bot-1" } = {}): ReportEvent[] {
  return Array.from({ length: releases }, (_, index) => [
    events.published(trainer, index + 1, { time: hour(index) }),
    events.activated(bot, index + 1, { startedAt: hour(index + 0.5) }),
  ]).flat();
}

Deno.test("the list shows the newest release first, with where each one is and was active", async () => {
  using pages = await openPages([
    ...story(3),
    events.activated("bot-2", 2, { startedAt: hour(2), host: "bot-2" }),
  ]);
  const { status, text, html } = await pages.see("/releases");
  assert.equal(status, 200);
  assert.match(text, /train-1 published release 3 [0-9a-f]{12} yesterday 02:00: active on 1 of 2\./);
  const rows = html.split('role="row"').slice(2);
  assert.equal(rows.length, 3);
  const [third = "", second = "", first = ""] = rows;
  assert.ok(third.includes(`/releases/${digestOfRelease(3)}`) && third.includes("active on 1 of 2"));
  assert.ok(second.includes("active on 1 of 2") && second.includes("previously on 1"));
  assert.ok(first.includes("replaced") && first.includes("previously on 1"));
  assert.match(text, /2\.9 MiB 3 files/);
});

Deno.test("releases of several publishers are separate, and the filter shows those of one", async () => {
  const other = [10, 11].map((number) => events.published("train-2", number, { time: hour(number) }));
  using pages = await openPages([...story(9), ...other]);
  const all = await pages.see("/releases");
  const headings = [...all.html.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, heading = ""]) =>
    heading.replace(/<[^>]*>/g, "")
  );
  assert.deepEqual(headings, ["train-2", "train-1"]);
  assert.ok(all.html.includes('href="/releases?publisher=train-1"'), "leads to the rest of a publisher");
  const one = await pages.see("/releases?publisher=train-2");
  assert.ok(one.html.includes(digestOfRelease(11)) && !one.html.includes(digestOfRelease(9)));
  const none = await pages.see("/releases?publisher=train-3");
  assert.match(none.text, /No release matches the filter/);
});

Deno.test("a release is found by its sequence and by the beginning of its digest", async () => {
  using pages = await openPages(story(12));
  const digits = digestOfRelease(7).slice("sha256:".length);
  for (const typed of ["7", digits, digits.slice(0, 8), digestOfRelease(7), ` ${digits.toUpperCase()} `]) {
    const { html } = await pages.see(`/releases?q=${encodeURIComponent(typed)}`);
    const rows = [...html.matchAll(/role="rowheader".*?\/releases\/(sha256:[0-9a-f]{64})/gs)];
    assert.deepEqual(rows.map(([, digest]) => digest), [digestOfRelease(7)], typed);
  }
  for (const typed of ["77", "<b>", "sha256:", "%", "zzzz"]) {
    const { status, text } = await pages.see(`/releases?q=${encodeURIComponent(typed)}`);
    assert.equal(status, 200);
    assert.match(text, /No release matches the filter/, typed);
  }
});

Deno.test("the search of the fleet leads to the release or the run that it names, and the public to neither", async () => {
  const digits = digestOfRelease(2).slice("sha256:".length);
  const run = "20261128T013000Z-0123ab";
  const searches = [
    [digits.slice(0, 8), `/releases/${digestOfRelease(2)}`],
    [digestOfRelease(2), `/releases/${digestOfRelease(2)}`],
    [run, `/runs/${run}?node=bot-1`],
    ["0".repeat(8), null],
    [run.replace(/.$/, "c"), null],
    ["bot-1", null],
  ] as const;
  for (const isPublic of [false, true]) {
    const pulled = events.activated("bot-1", 2, { runId: run, startedAt: hour(1.5) });
    using pages = await openPages([...story(2), pulled], { isPublic });
    for (const [typed, location] of searches) {
      const found = await pages.see(`/?q=${encodeURIComponent(typed)}`);
      assert.equal(found.location, isPublic ? null : location, typed);
    }
  }
});

Deno.test("the pages of the list have every release once", async () => {
  using pages = await openPages(
    Array.from(
      { length: 60 },
      (_, index) => events.published("train-1", index + 1, { time: hour(index / 4) }),
    ),
  );
  const seen: string[] = [];
  let address: string | undefined = "/releases?publisher=train-1";
  for (let page = 0; address !== undefined; page++) {
    assert.ok(page < 4, "ends");
    const { html } = await pages.see(address);
    seen.push(
      ...[...html.matchAll(/role="rowheader".*?\/releases\/(sha256:[0-9a-f]{64})/gs)].map(([, one]) =>
        one ?? ""
      ),
    );
    address = /rel="next" href="([^"]*)"/.exec(html)?.[1]?.replaceAll("&amp;", "&");
  }
  assert.deepEqual(seen, Array.from({ length: 60 }, (_, index) => digestOfRelease(60 - index)));
  const { status, text } = await pages.see("/releases?before=nonsense");
  assert.equal(status, 400);
  assert.match(text, /Start from the first page/);
});

Deno.test("a rollback is recognized whether its run or its heartbeat arrives first", async () => {
  const activated = events.activated("bot-1", 2, { startedAt: hour(2) });
  const back = events.activated("bot-1", 1, {
    startedAt: hour(3),
    command: "rollback",
    outcome: "rolled-back",
    previous: digestOfRelease(2),
  });
  const heartbeat = events.heartbeat("bot-1", {
    time: hour(4),
    status: {
      current: events.statusRelease(1),
      // Between the run's start and its end: the database has both.
      activatedAt: "2026-11-28T03:00:00.600Z",
      quarantine: [{
        digest: digestOfRelease(2),
        sequence: 2,
        reason: "win_rate is <b>bad</b>",
        at: hour(3),
      }],
    },
  });
  const before = [...story(1), events.published("train-1", 2, { time: hour(1) }), activated];
  for (const order of [[back, heartbeat], [heartbeat, back]]) {
    using pages = await openPages(before);
    for (const event of order) await pages.add(event);
    const list = await pages.see("/releases");
    assert.match(list.text, /rolled back on 1/);
    const { text, html } = await pages.see(`/releases/${digestOfRelease(2)}`);
    assert.match(text, /Quarantine on 1 node/);
    assert.match(text, /win_rate is <b>bad<\/b>/);
    assert.match(text, /model-sync quarantine lift [0-9a-f]{12}/);
    assert.match(text, /rolled back to 1/);
    assert.ok(!html.includes("<b>bad"));
  }
});

Deno.test("a withdrawn release is marked where it is listed, and its page says when and why, in any order of events", async () => {
  const withdrawal = {
    digest: digestOfRelease(2),
    state: "withdrawn",
    at: hour(3),
    reason: "wrong <b>labels</b>",
  };
  const reinstated = { digest: digestOfRelease(2), state: "reinstated", at: hour(2.9) };
  const run = { command: "withdraw", release: digestOfRelease(1), sequence: 3 } as const;
  const changes = [
    events.finished("train-1", { ...run, outcome: "withdrawn", startedAt: hour(3), withdrawal }),
    events.finished("train-1", {
      ...run,
      outcome: "reinstated",
      startedAt: hour(2.9),
      withdrawal: reinstated,
    }),
  ];
  for (const order of [changes, changes.toReversed()]) {
    using pages = await openPages(story(2));
    for (const event of order) await pages.add(event);
    assert.match((await pages.see("/releases")).text, /withdrawn, still active on 1/);
    const { text, html } = await pages.see(`/releases/${digestOfRelease(2)}`);
    assert.match(text, /withdrew it yesterday 03:00: wrong <b>labels<\/b>/);
    assert.match(text, /model-sync withdraw [0-9a-f]{12} --undo/);
    assert.ok(!html.includes("<b>labels"));
    assert.doesNotMatch((await pages.see(`/releases/${digestOfRelease(1)}`)).text, /withdrawn/i);
  }
});

Deno.test("an empty list of releases shows a command", async () => {
  using pages = await openPages([]);
  const { status, text } = await pages.see("/releases");
  assert.equal(status, 200);
  assert.match(text, /No release is known yet/);
  assert.match(text, /model-sync publish/);
});

Deno.test("names of publishers, carriers, files and revisions are shown as text on every page", async () => {
  const evil = '"><script>alert(1)</script>\u202e';
  const file = { path: `${evil}/a.onnx`, size: 1, sha256: "a".repeat(64) };
  using pages = await openPages([
    ...story(1),
    events.published(evil, 5, {
      time: hour(5),
      carrier: evil,
      revision: evil,
      signer: evil,
      files: [file],
      filesTotal: 2,
    }),
    events.activated(`${evil}2`, 5, { startedAt: hour(6), carrier: evil }),
    events.pullRequest(evil, { repository: evil, url: "javascript:alert(1)" }),
  ]);
  const paths = [
    "/releases",
    `/releases?publisher=${encodeURIComponent(evil)}&q=${encodeURIComponent(evil)}`,
    `/releases/${digestOfRelease(5)}`,
    `/releases/${digestOfRelease(5)}?other=${encodeURIComponent(evil)}`,
    `/releases/${encodeURIComponent(evil)}`,
    "/pull-requests",
    `/pull-requests?repository=${encodeURIComponent(evil)}`,
  ];
  for (const path of paths) {
    const { html, text } = await pages.see(path);
    assert.ok(!html.includes("<script>alert"), path);
    assert.ok(!text.includes("\u202e"), path);
    assert.ok(
      !/ style=| on[a-z]+=|href="javascript/i.test(
        html.replace(/"[^"]*"/g, (value) => value.startsWith('"javascript') ? value : '""'),
      ),
      path,
    );
  }
});

Deno.test("the public sees releases, sizes and counts, and nothing about nodes, carriers, keys and files", async () => {
  const secrets = [
    "secret-host",
    "secret-rev",
    "secret-signer",
    "secret-carrier",
    "secret-path",
    "secret-reason",
  ];
  const [host = "", revision = "", signer = "", carrier = "", path = "", reason = ""] = secrets;
  using pages = await openPages([
    events.published(host, 1, {
      time: hour(1),
      revision,
      signer,
      carrier,
      files: [{ path, size: 1, sha256: "a".repeat(64) }],
    }),
    events.published(host, 2, { time: hour(2) }),
    events.activated(`${host}/client`, 1, { startedAt: hour(2), host, carrier }),
    events.heartbeat(`${host}/client`, {
      time: hour(3),
      status: { quarantine: [{ digest: digestOfRelease(2), sequence: 2, reason, at: hour(3) }] },
    }),
  ], { isPublic: true });
  for (const page of ["/releases", `/releases/${digestOfRelease(1)}`, `/releases/${digestOfRelease(2)}`]) {
    for (const query of ["", `?q=${signer}`, `?against=${digestOfRelease(1)}`, `?publisher=${host}`]) {
      const { status, html } = await pages.see(page + query);
      assert.equal(status, 200, page + query);
      for (const secret of secrets) {
        const shown = html.replaceAll(`value="${secret}"`, "").replaceAll(`>${secret}</option>`, "");
        assert.ok(!shown.includes(secret), `${page}${query} shows ${secret}`);
      }
    }
  }
  const { text } = await pages.see(`/releases/${digestOfRelease(1)}`);
  assert.match(text, /active on 1/);
  assert.match(text, /2\.9 MiB/);
  const { status } = await pages.see("/pull-requests");
  assert.notEqual(status, 200);
});
