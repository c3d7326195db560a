import assert from "node:assert/strict";
import { appendHistory } from "../../lib/store/history.ts";
import { keepPublishedFiles } from "../../lib/store/published_files.ts";
import { startRecordingHost } from "../../fakes/recording_host.ts";
import { digestOf } from "../helpers/report_events.ts";
import { finished, finishedFrom, ReportWorld, runRecordOf } from "../helpers/report_world.ts";

interface Fault {
  readonly answer: () => Response;
  /** What the warning says is wrong, and what to do. */
  readonly says: RegExp;
}

const FAULTS: Readonly<Record<string, Fault>> = {
  "401": {
    answer: () => new Response("unknown token", { status: 401 }),
    says: /answered 401: unknown token; check MODEL_SYNC_REPORT_TOKEN: the dashboard refuses this token/,
  },
  "403": {
    answer: () => new Response("", { status: 403 }),
    says: /answered 403; check MODEL_SYNC_REPORT_TOKEN/,
  },
  "404": {
    answer: () => new Response("<!doctype html><p>Not here", { status: 404 }),
    says: /answered 404: an HTML page; check report\.url: no dashboard is at this address/,
  },
  "400": { answer: () => new Response("bad", { status: 400 }), says: /answered 400: bad; check the address/ },
  "429 without a time": {
    answer: () => new Response("", { status: 429 }),
    says: /answered 429; run again later/,
  },
  "500": { answer: () => new Response("oops", { status: 500 }), says: /answered 500: oops; run again later/ },
  "503": { answer: () => new Response("", { status: 503 }), says: /answered 503/ },
  "an HTML page with 200": {
    answer: () =>
      new Response("<html><form>Sign in</form></html>", { headers: { "content-type": "text/html" } }),
    says:
      /answered 200, but not with the JSON of a dashboard; check report\.url: a login page or a proxy may answer/,
  },
  "a text with 200": {
    answer: () => new Response("OK"),
    says: /answered 200, but not with the JSON of a dashboard/,
  },
  "half of a JSON text with 202": {
    answer: () => new Response('{"taken": ', { status: 202 }),
    says: /answered 202, but not with the JSON of a dashboard/,
  },
  "an endless page with 200": {
    answer: () => new Response("x".repeat(1024 * 1024)),
    says: /the answer is longer than 65536 bytes/,
  },
  "a redirect": {
    answer: () => Response.redirect("https://elsewhere.example/login", 302),
    says:
      /redirects to https:\/\/elsewhere\.example\/login; set report\.url to that address if it is the dashboard/,
  },
  "a redirect to nowhere": {
    answer: () => new Response("", { status: 308 }),
    says: /redirects to an unknown address/,
  },
};

for (const [name, { answer, says }] of Object.entries(FAULTS)) {
  Deno.test(`a dashboard that answers with ${name} takes nothing: the next delivery sends everything once`, async () => {
    await using world = new ReportWorld();
    world.record(1, 2);
    world.dashboard.fault = answer;
    const { delivered, problem } = await world.deliver();
    assert.equal(delivered, 0);
    assert.match(problem ?? "", says);
    assert.match(problem ?? "", /\. Kept in the history and sent later: 2 runs$/);
    assert.doesNotMatch(problem ?? "", /\n|node-token-1/);
    world.dashboard.fault = () => undefined;
    assert.deepEqual(await world.deliver(), { delivered: 2, problem: undefined });
    assert.deepEqual(world.dashboard.ids(), finished(1, 2));
  });
}

Deno.test("a dashboard that accepts no connection only delays the run", async () => {
  await using world = new ReportWorld();
  world.record(1);
  const http = (url: string | URL | Request, init?: RequestInit) =>
    fetch(String(url).replace(/:\d+/, ":9"), init);
  const { delivered, problem } = await world.deliver({ http });
  assert.equal(delivered, 0);
  assert.match(problem ?? "", /did not answer \(.*\); check the network.*sent later: 1 run$/i);
  assert.equal((await world.deliver()).delivered, 1);
});

Deno.test("a silent dashboard costs five seconds, and events that it may have stored are sent again", async () => {
  await using world = new ReportWorld();
  world.record(1);
  world.dashboard.fault = () => world.dashboard.hang(() => world.clock.advance(5_000));
  const { delivered, problem } = await world.deliver();
  assert.equal(delivered, 0);
  assert.match(problem ?? "", /no answer from 127\.0\.0\.1:\d+ in 5 s/);
  world.dashboard.fault = () => undefined;
  assert.equal((await world.deliver()).delivered, 1);
});

Deno.test("a slow dashboard gets as many batches as fit into the time, and the rest next time, without a warning", async () => {
  await using world = new ReportWorld();
  world.recordMany(1, 1_200);
  let answers = 0;
  world.dashboard.fault = () => {
    if (++answers === 3) return world.dashboard.hang(() => world.clock.advance(2_000));
    world.clock.advance(1_500);
    return undefined;
  };
  assert.deepEqual(await world.deliver(), { delivered: 1_000, problem: undefined });
  world.dashboard.fault = () => undefined;
  assert.deepEqual(await world.deliver(), { delivered: 200, problem: undefined });
});

Deno.test("a dashboard that requests a pause gets no requests for that time, an hour at most", async () => {
  for (
    const [status, retryAfter, pauseMs] of [[429, "120", 120_000], [503, "31536000", 3_600_000]] as const
  ) {
    await using world = new ReportWorld();
    world.record(1);
    world.dashboard.fault = () => new Response("", { status, headers: { "retry-after": retryAfter } });
    await world.deliver();
    world.dashboard.fault = () => undefined;
    world.clock.advance(pauseMs - 1_000);
    assert.deepEqual(await world.deliver(), { delivered: 0, problem: undefined });
    assert.equal(world.dashboard.requests.length, 1);
    world.clock.advance(1_000);
    assert.equal((await world.deliver()).delivered, 1);
  }
});

Deno.test("a batch that is too large for the dashboard is halved until it fits", async () => {
  await using world = new ReportWorld();
  world.recordMany(1, 100);
  world.dashboard.fault = ({ count }) => count > 30 ? new Response("", { status: 413 }) : undefined;
  assert.deepEqual(await world.deliver(), { delivered: 100, problem: undefined });
  assert.deepEqual(world.dashboard.ids(), finishedFrom(1, 100));
  // From then on the size that fits is known.
  assert.deepEqual(world.dashboard.requests.map(({ count }) => count), [100, 50, 25, 25, 25, 25]);
});

Deno.test("an event that is too large by itself is sent without its lists, and kept if that is refused, too", async () => {
  await using world = new ReportWorld();
  const files = Array.from(
    { length: 1_000 },
    (_, index) => ({ path: `${index}`, size: 1, sha256: "c".repeat(64) }),
  );
  const release = digestOf("a");
  keepPublishedFiles(world.store, { digest: release, files });
  appendHistory(
    world.store,
    runRecordOf(1, { command: "publish", outcome: "published", release, sequence: 4 }),
  );
  appendHistory(world.store, runRecordOf(2, { error: { code: "X", message: "m".repeat(3_500) } }));
  world.record(3);
  world.dashboard.fault = ({ body }) => body.length > 2_000 ? new Response("", { status: 413 }) : undefined;
  const { delivered, problem } = await world.deliver();
  assert.equal(delivered, 1);
  assert.match(problem ?? "", /answered 413; raise the limit of the proxy .* sent later: 2 runs$/);
  assert.deepEqual(world.dashboard.ids(), ["run-1/published", "run-1/finished"]);
  world.dashboard.fault = () => undefined;
  assert.deepEqual(await world.deliver(), { delivered: 2, problem: undefined });
  const [event] = world.dashboard.events.values();
  assert.ok(event?.type === "model-sync.release.published.v1");
  assert.deepEqual([event.data.files, event.data.filesTotal, event.data.filesLeftOut], [[], 1_000, 1_000]);
});

Deno.test("neither the token nor a report reaches the host that a redirect leads to", async () => {
  await using world = new ReportWorld();
  await using elsewhere = startRecordingHost();
  world.record(1);
  for (const status of [301, 302, 303, 307, 308]) {
    for (const location of [`${elsewhere.origin}/x`, "/api/v2/events"]) {
      world.dashboard.fault = () => new Response("", { status, headers: { location } });
      assert.equal((await world.deliver()).delivered, 0);
    }
  }
  assert.deepEqual(elsewhere.requests, []);
  assert.deepEqual(new Set(world.dashboard.requests.map(({ path }) => path)), new Set(["/api/v1/events"]));
});
