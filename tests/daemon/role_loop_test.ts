import assert from "node:assert/strict";
import { FailedError, TransientError, UnreachableError, UsageError } from "../../lib/core/errors.ts";
import { RoleStage, utcSchedule } from "../helpers/role_stage.ts";

const HOUR_MS = 3_600_000;

Deno.test("runRole() runs the job once at each of its times", async () => {
  const s = new RoleStage("2026-11-21T05:00:00Z", "06:00");
  await s.runUntil("2026-11-23T12:00:00Z");
  assert.deepEqual(s.runs, [
    "2026-11-21T06:00:00.000Z",
    "2026-11-22T06:00:00.000Z",
    "2026-11-23T06:00:00.000Z",
  ]);
  assert.equal(s.remembered?.next.toISOString(), "2026-11-24T06:00:00.000Z");
});

Deno.test("runRole() runs at the start with runOnStart, and then at its times", async () => {
  const s = new RoleStage("2026-11-21T05:00:00Z", "06:00");
  await s.runUntil("2026-11-21T07:00:00Z", { runOnStart: true });
  assert.deepEqual(s.runs, ["2026-11-21T05:00:00.000Z", "2026-11-21T06:00:00.000Z"]);
});

Deno.test("runRole() catches up once with runs that were missed while it was stopped", async () => {
  const s = new RoleStage("2026-11-21T05:00:00Z", "06:00");
  s.remembered = { next: new Date("2026-11-17T06:00:00Z"), due: undefined, served: [] };
  await s.runUntil("2026-11-21T07:00:00Z");
  assert.deepEqual(s.runs, ["2026-11-21T05:00:00.000Z", "2026-11-21T06:00:00.000Z"]);
});

Deno.test("runRole() catches up once with runs that a suspended machine missed, and never overlaps", async () => {
  const s = new RoleStage("2026-11-21T05:00:00Z", "*/15 * * * *", () => {
    // The job takes longer than its period.
    s.clock.advance(40 * 60_000);
    return Promise.resolve();
  });
  await s.runUntil("2026-11-21T07:00:00Z");
  assert.deepEqual(s.runs, [
    "2026-11-21T05:15:00.000Z",
    "2026-11-21T06:00:00.000Z",
    "2026-11-21T06:45:00.000Z",
  ]);
});

Deno.test("runRole() does not wait for the old time when the clock is set back", async () => {
  const s = new RoleStage("2027-11-21T05:00:00Z", "06:00");
  let jumped = false;
  const stop = new AbortController();
  await s.runUntil("", {
    signal: stop.signal,
    wake: (durationMs) => {
      s.clock.advance(jumped ? durationMs : -365 * 24 * HOUR_MS);
      jumped = true;
      if (s.clock.now() >= new Date("2026-11-21T07:00:00Z")) stop.abort();
      return Promise.resolve();
    },
  });
  assert.deepEqual(s.runs, ["2026-11-21T06:00:00.000Z"]);
});

Deno.test("runRole() retries a passing fault after 1, 2, 4, 8, 16 and 30 minutes, then waits for the next time", async () => {
  const s = new RoleStage(
    "2026-11-21T05:59:30Z",
    "06:00",
    () => Promise.reject(new UnreachableError("no network", { code: "X" })),
  );
  await s.runUntil("2026-11-22T05:00:00Z");
  assert.deepEqual(
    s.runs.map((run) => run.slice(11, 16)),
    ["06:00", "06:01", "06:03", "06:07", "06:15", "06:31", "07:01"],
  );
  assert.ok(s.log.lines.includes("error [2026-11-21T06:00:00Z] client sync job failed: no network"));
});

Deno.test("daemons that failed together do not retry together", async () => {
  const firstRetryOf = async (jitter: number) => {
    const s = new RoleStage(
      "2026-11-21T05:59:30Z",
      "06:00",
      () => Promise.reject(new UnreachableError("no network", { code: "X" })),
    );
    await s.runUntil("2026-11-21T06:01:30Z", { jitter: () => jitter });
    return s.runs[1]?.slice(11, 19);
  };
  assert.deepEqual(await Promise.all([0, 0.5, 1].map(firstRetryOf)), ["06:00:30", "06:00:45", "06:01:00"]);
});

Deno.test("runRole() retries no earlier than the server requests, and after an hour at the latest", async () => {
  for (
    const [retryAfterMs, jitter, retry] of [[600_000, 0, "06:10:00"], [600_000, 1, "06:11:00"], [
      Infinity,
      0,
      "07:00:00",
    ]] as const
  ) {
    const busy = new TransientError("busy", { code: "HTTP_503", retryAfterMs });
    const s = new RoleStage("2026-11-21T05:59:30Z", "06:00", () => Promise.reject(busy));
    await s.runUntil("2026-11-21T07:00:30Z", { jitter: () => jitter });
    assert.equal(s.runs[1]?.slice(11, 19), retry);
  }
});

Deno.test("runRole() continues after a lasting failure, and after an unexpected error", async () => {
  const s = new RoleStage(
    "2026-11-21T05:00:00Z",
    "06:00",
    (run) => Promise.reject(run === 1 ? new FailedError("bad", { code: "X" }) : new TypeError("bug")),
  );
  await s.runUntil("2026-11-23T07:00:00Z");
  assert.equal(s.runs.length, 3);
});

Deno.test("runRole() follows a changed schedule, and keeps the old one while the new one is invalid", async () => {
  const s = new RoleStage("2026-11-21T05:00:00Z", "06:00");
  const schedules = ["06:00", "08:00", undefined, undefined];
  s.schedule = () => {
    const schedule = schedules.shift();
    if (schedule === undefined) throw new UsageError("broken", { code: "CONFIG_INVALID" });
    return Promise.resolve(utcSchedule(schedule));
  };
  await s.runUntil("2026-11-22T12:00:00Z");
  assert.deepEqual(s.runs.map((run) => run.slice(8, 16)), ["21T06:00", "21T08:00", "22T08:00"]);
  assert.ok(s.log.lines.some((line) => line.startsWith("warn keeping the schedule")));
});

Deno.test("runRole() stops when its signal is aborted, also during a job", async () => {
  const stop = new AbortController();
  const s = new RoleStage("2026-11-21T05:00:00Z", "06:00", () => {
    stop.abort();
    return Promise.reject(stop.signal.reason);
  });
  await s.runUntil("", { signal: stop.signal, runOnStart: true });
  assert.equal(s.runs.length, 1);
  assert.ok(!s.log.lines.some((line) => line.includes("failed")));
});
