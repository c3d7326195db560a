import assert from "node:assert/strict";
import { FailedError, UnreachableError, UsageError } from "../../lib/core/errors.ts";
import { parseCalendar } from "../../lib/schedule/calendar.ts";
import { NO_CONTROL } from "../../lib/daemon/role_control.ts";
import { type RoleJob, type RoleLoopOptions, runRole } from "../../lib/daemon/role_loop.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { recordedLog } from "../helpers/test_context.ts";

const HOUR_MS = 3_600_000;

interface Stage {
  readonly clock: FakeClock;
  readonly log: ReturnType<typeof recordedLog>;
  /** When the job ran. */
  readonly runs: string[];
  readonly job: RoleJob;
  /** Lets the daemon run until its clock shows this, or `onWake` stops it. */
  readonly runUntil: (end: string, changed?: Partial<RoleLoopOptions>) => Promise<void>;
  remembered: Date | undefined;
}

/** A daemon whose sleeps pass at once on a clock of their own. */
function stage(
  start: string,
  schedule: string,
  work: (run: number) => Promise<void> = () => Promise.resolve(),
): Stage {
  const clock = new FakeClock(start);
  const log = recordedLog();
  const runs: string[] = [];
  const made: Stage = {
    clock,
    log,
    runs,
    remembered: undefined,
    job: {
      role: "client",
      calendar: () => Promise.resolve(parseCalendar(schedule, "UTC")),
      run: async () => {
        runs.push(clock.now().toISOString());
        await work(runs.length);
      },
    },
    runUntil: async (end, changed = {}) => {
      const stop = new AbortController();
      await runRole(made.job, {
        clock,
        log,
        signal: stop.signal,
        runOnStart: false,
        control: NO_CONTROL,
        dueTimes: {
          find: () => made.remembered,
          remember: (due) => {
            made.remembered = due;
          },
        },
        wake: (durationMs) => {
          assert.ok(durationMs > 0 && durationMs <= 60_000);
          clock.advance(durationMs);
          if (clock.now() >= new Date(end)) stop.abort();
          return Promise.resolve();
        },
        ...changed,
      });
    },
  };
  return made;
}

Deno.test("runRole() runs the job at each of its times, and once a time", async () => {
  const s = stage("2026-11-21T05:00:00Z", "06:00");
  await s.runUntil("2026-11-23T12:00:00Z");
  assert.deepEqual(s.runs, [
    "2026-11-21T06:00:00.000Z",
    "2026-11-22T06:00:00.000Z",
    "2026-11-23T06:00:00.000Z",
  ]);
  assert.equal(s.remembered?.toISOString(), "2026-11-24T06:00:00.000Z");
});

Deno.test("runRole() runs at once when told to, and then at its times", async () => {
  const s = stage("2026-11-21T05:00:00Z", "06:00");
  await s.runUntil("2026-11-21T07:00:00Z", { runOnStart: true });
  assert.deepEqual(s.runs, ["2026-11-21T05:00:00.000Z", "2026-11-21T06:00:00.000Z"]);
});

Deno.test("runRole() makes up once for runs that were missed while it was down", async () => {
  const s = stage("2026-11-21T05:00:00Z", "06:00");
  s.remembered = new Date("2026-11-17T06:00:00Z");
  await s.runUntil("2026-11-21T07:00:00Z");
  assert.deepEqual(s.runs, ["2026-11-21T05:00:00.000Z", "2026-11-21T06:00:00.000Z"]);
});

Deno.test("runRole() makes up once for runs that a sleeping machine missed, and never overlaps", async () => {
  const s = stage("2026-11-21T05:00:00Z", "*/15 * * * *", () => {
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
  const s = stage("2027-11-21T05:00:00Z", "06:00");
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

Deno.test("runRole() tries a passing fault again after 1, 2, 4, 8, 16 and 30 minutes, then waits for the next time", async () => {
  const s = stage(
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

Deno.test("runRole() goes on after a failure that does not pass, and after one that nobody foresaw", async () => {
  const s = stage(
    "2026-11-21T05:00:00Z",
    "06:00",
    (run) => Promise.reject(run === 1 ? new FailedError("bad", { code: "X" }) : new TypeError("bug")),
  );
  await s.runUntil("2026-11-23T07:00:00Z");
  assert.equal(s.runs.length, 3);
});

Deno.test("runRole() follows a schedule that is changed, and keeps the old one while the new one is broken", async () => {
  const s = stage("2026-11-21T05:00:00Z", "06:00");
  const schedules = ["06:00", "08:00", undefined, undefined];
  await runUntilWith(s, () => {
    const schedule = schedules.shift();
    if (schedule === undefined) throw new UsageError("broken", { code: "CONFIG_INVALID" });
    return Promise.resolve(parseCalendar(schedule, "UTC"));
  });
  assert.deepEqual(s.runs.map((run) => run.slice(8, 16)), ["21T06:00", "21T08:00", "22T08:00"]);
  assert.ok(s.log.lines.some((line) => line.startsWith("warn keeping the schedule")));
});

async function runUntilWith(s: Stage, calendar: RoleJob["calendar"]): Promise<void> {
  const changed: Stage = { ...s, job: { ...s.job, calendar } };
  const stop = new AbortController();
  await runRole(changed.job, {
    clock: s.clock,
    log: s.log,
    signal: stop.signal,
    runOnStart: false,
    control: NO_CONTROL,
    dueTimes: { find: () => undefined, remember: () => {} },
    wake: (durationMs) => {
      s.clock.advance(durationMs);
      if (s.clock.now() >= new Date("2026-11-22T12:00:00Z")) stop.abort();
      return Promise.resolve();
    },
  });
}

Deno.test("runRole() stops when it is told to, also in the middle of a job", async () => {
  const stop = new AbortController();
  const s = stage("2026-11-21T05:00:00Z", "06:00", () => {
    stop.abort();
    return Promise.reject(stop.signal.reason);
  });
  await s.runUntil("", { signal: stop.signal, runOnStart: true });
  assert.equal(s.runs.length, 1);
  assert.ok(!s.log.lines.some((line) => line.includes("failed")));
});
