import assert from "node:assert/strict";
import { WholeFleet } from "../helpers/whole_fleet.ts";

const NOW = new Date("2026-11-29T17:35:00Z");
const MONTH = new WholeFleet({ nodes: 50, days: 30, now: NOW });

Deno.test("every node with a daemon that lives has sent a heartbeat in the last minute, and the others have a reason", () => {
  const nodes = new Set(MONTH.batches.map(({ node }) => node));
  const silent = [...nodes].filter((node) => {
    const last = MONTH.of("heartbeat", node).at(-1);
    return last === undefined || MONTH.hoursAgo(last.time) > 1 / 60;
  });
  assert.deepEqual(silent.sort(), [
    "bot-athens",
    "bot-cape-town",
    "bot-frankfurt",
    "bot-lisbon",
    "bot-miami",
    "bot-sao-paulo",
    "bot-toronto",
  ]);
});

Deno.test("a node is down: nothing was heard of it for nine hours", () => {
  assert.equal(MONTH.hoursAgo(MONTH.lastHeartbeat("bot-frankfurt").time), 9);
  assert.ok(MONTH.of("finished", "bot-frankfurt").every(({ time }) => MONTH.hoursAgo(time) >= 9));
});

Deno.test("a node was down over its due time once, and made up for the run", () => {
  const runs = MONTH.of("finished", "bot-dublin").map(({ data }) => data);
  const late = runs.filter(({ startedAt }) => startedAt.slice(11, 13) === "12");
  assert.equal(late.length, 1);
  assert.equal(runs.length, 30);
});

Deno.test("a run started late once, and one that was due an hour ago did not start yet", () => {
  const late = MONTH.of("finished", "bot-brussels").filter(({ data }) => /T05:5\d:/.test(data.startedAt));
  assert.equal(late.length, 1);
  const { status } = MONTH.lastHeartbeat("bot-vienna").data;
  assert.equal(status.schedules["client"]?.times.join(), "17:30");
  assert.equal(status.next["client"], "2026-11-29T16:30:00.000Z");
  assert.ok(MONTH.hoursAgo(MONTH.lastRun("bot-vienna").startedAt) > 24);
});

Deno.test("a machine that is off at weekends pulls on Monday, later than usual", () => {
  const starts = MONTH.of("finished", "bot-lisbon").map(({ data }) => new Date(data.startedAt));
  assert.ok(starts.every((start) => ![0, 6].includes(start.getUTCDay())));
  const mondays = starts.filter((start) => start.getUTCDay() === 1);
  assert.ok(mondays.length >= 4);
  assert.ok(mondays.every((start) => start.toISOString().slice(11, 16) === "07:40"));
});

Deno.test("a bad release is rolled back by its canaries when win_rate falls under its limit; the next one fixes it", () => {
  const nodes = ["bot-paris", "bot-london", "bot-madrid", "bot-zurich"];
  for (const node of nodes) {
    const [rolledBack, ...more] = MONTH.runs(node, "rolled-back");
    assert.ok(rolledBack?.previous !== undefined && more.length === 0, node);
    assert.equal(rolledBack.error?.code, "CANARY_DEGRADED");
    const bad = rolledBack.previous;
    const course = MONTH.of("heartbeat", node).flatMap(({ data }) =>
      data.status.canary?.digest === bad ? [data.status.canary] : []
    );
    const changes = course.map(({ metrics }) => metrics[0]?.change ?? 0);
    assert.ok(course.length >= 5, `${node} shows the course in ${course.length} heartbeats`);
    assert.ok((changes[0] ?? -1) > -0.1 && (changes.at(-1) ?? 0) < -0.15, `${node}: ${changes}`);
    assert.equal(course.at(-1)?.status, "degraded");
    assert.ok((course.at(-1)?.metrics[0]?.failures ?? 0) > (course.at(-1)?.failureLimit ?? Infinity));
    assert.equal(MONTH.lastHeartbeat(node).data.status.quarantine.at(-1)?.digest, bad);
    const next = MONTH.runs(node, "activated").find(({ startedAt }) => startedAt > rolledBack.startedAt);
    const promoted = MONTH.runs(node, "promoted").find(({ startedAt }) => startedAt > rolledBack.startedAt);
    assert.ok(next?.release !== undefined && next.release !== bad);
    assert.equal(promoted?.release, next.release);
  }
});

Deno.test("a good canary stays within its limit in every heartbeat", () => {
  const good = MONTH.of("heartbeat").flatMap(({ data }) => data.status.canary ?? []).filter(({ status }) =>
    status === "watching" || status === "passed"
  );
  assert.ok(good.length > 500);
  for (const { metrics, status } of good) {
    for (const { change, failures } of metrics) {
      if (status === "passed") assert.ok(Math.abs(change ?? 0) < 0.15 && failures === 0);
    }
  }
});

Deno.test("a canary is open, with the time that is left", () => {
  const { canary, current } = MONTH.lastHeartbeat("bot-paris").data.status;
  assert.equal(canary?.status, "watching");
  assert.equal(canary.digest, current?.digest);
  assert.ok(canary.leftMs > 30 * 60_000);
});

Deno.test("a node is paused until Monday, with the reason, and a record says who paused it", () => {
  const { status } = MONTH.lastHeartbeat("bot-milan").data;
  const pause = status.paused["client"];
  assert.match(pause?.reason ?? "", /Monday/);
  assert.equal(new Date(pause?.until ?? 0).toISOString(), "2026-11-30T07:00:00.000Z");
  assert.deepEqual(status.schedules["client"]?.paused, pause);
  assert.equal(MONTH.lastRun("bot-milan").outcome, "paused");
});

Deno.test("one node is two releases behind, one five, and one refused the newest for its signature", () => {
  assert.equal(MONTH.behind("bot-warsaw", "train-1"), 2);
  assert.equal(MONTH.behind("bot-athens", "train-1"), 5);
  assert.equal(MONTH.behind("bot-oslo", "train-1"), 1);
  assert.equal(MONTH.lastRun("bot-oslo").error?.code, "SIGNATURE_INVALID");
  const signers = new Set(MONTH.of("published", "train-1").slice(-4).map(({ data }) => data.signer));
  assert.equal(signers.size, 2);
});

Deno.test("a node's clock is 26 hours ahead since three days, and was right before", () => {
  assert.ok(MONTH.hoursAgo(MONTH.lastHeartbeat("bot-singapore").time) < -25.9);
  assert.ok(MONTH.hoursAgo(MONTH.of("finished", "bot-singapore")[0]?.time) > 24 * 28);
});

Deno.test("runs failed as runs do: in each way with the program's code, a hint and the end of the log", () => {
  const failed = MONTH.of("finished").flatMap(({ data }) => data.error === undefined ? [] : [data]);
  const codes = new Set(failed.map(({ error }) => error?.code));
  for (
    const code of [
      "CANARY_DEGRADED",
      "DIGEST_MISMATCH",
      "DISK",
      "GIT_AUTHENTICATION",
      "GIT_UNREACHABLE",
      "HTTP_503",
      "JOB_FAILED",
      "KILLED",
      "SIGNATURE_INVALID",
      "TRAINING_FAILED",
      "UNREACHABLE",
      "VALIDATION_FAILED",
    ]
  ) assert.ok(codes.has(code), code);
  assert.ok(
    failed.every(({ error, log, outcome }) =>
      error?.hint !== undefined && (log !== undefined || outcome === "interrupted")
    ),
  );
  assert.equal(MONTH.lastRun("bot-stockholm").error?.code, "GIT_AUTHENTICATION");
});

Deno.test("the other incidents: a nearly full disk, another writer's commit, a run that is going on, pull requests", () => {
  assert.ok((MONTH.lastHeartbeat("desk-chicago").data.status.freeBytes ?? Infinity) < 500_000_000);
  const foreign = MONTH.of("finished").filter(({ data }) => data.otherWriter !== undefined);
  assert.deepEqual(foreign.map(({ source }) => source), ["bot-amsterdam"]);
  const [running, ...more] = MONTH.lastHeartbeat("gpu-worker-3").data.status.running;
  assert.ok(running !== undefined && more.length === 0);
  assert.equal(MONTH.of("started", "gpu-worker-3").at(-1)?.data.runId, running.runId);
  assert.ok(MONTH.of("finished").every(({ data }) => data.runId !== running.runId));
  const repositories = MONTH.events.flatMap((event) =>
    event.type === "model-sync.pull-request.v1" ? [event.data.repository] : []
  );
  assert.equal(new Set(repositories).size, 2);
});

for (
  const now of [
    "2026-11-29T00:10:00Z",
    "2026-07-14T05:20:00Z",
    "2026-03-29T23:35:00Z",
    "2026-10-26T11:00:00Z",
  ]
) {
  Deno.test(`what is going on at the end is going on whenever that is: ${now}`, () => {
    const fleet = new WholeFleet({ nodes: 22, days: 21, now: new Date(now) });
    assert.equal(fleet.lastHeartbeat("bot-paris").data.status.canary?.status, "watching");
    assert.equal(fleet.lastHeartbeat("gpu-worker-3").data.status.running.length, 1);
    assert.equal(fleet.runs("bot-london", "rolled-back").length, 1);
    assert.equal(fleet.hoursAgo(fleet.lastHeartbeat("bot-frankfurt").time), 9);
    assert.equal(fleet.lastRun("bot-oslo").error?.code, "SIGNATURE_INVALID");
    assert.ok(fleet.behind("bot-warsaw", "train-1") >= 2);
    assert.ok(fleet.behind("bot-athens", "train-1") >= 5);
    assert.ok(fleet.hoursAgo(fleet.lastRun("bot-vienna").startedAt) > 24);
    assert.ok(Object.keys(fleet.lastHeartbeat("bot-milan").data.status.paused).length === 1);
  });
}
