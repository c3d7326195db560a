import assert from "node:assert/strict";
import { UnreachableError } from "../../lib/core/errors.ts";
import { everyMinutes } from "../../lib/schedule/calendar.ts";
import { RoleStage, utcSchedule, utcWindow } from "../helpers/role_stage.ts";

const HOUR_MS = 3_600_000;

Deno.test("a run is delayed by up to its splay, equally after a restart, and runs once", async () => {
  const schedule = utcSchedule("06:00", { splayMs: 2 * HOUR_MS });
  const steady = new RoleStage("2026-11-21T05:00:00Z", schedule);
  await steady.runUntil("2026-11-22T12:00:00Z");
  assert.equal(steady.runs.length, 2);
  const [first = "", second = ""] = steady.runs;
  assert.ok(first > "2026-11-21T06:00" && first < "2026-11-21T08:00", first);
  assert.ok(second > "2026-11-22T06:00" && second < "2026-11-22T08:00", second);
  assert.notEqual(first.slice(11), second.slice(11));

  const restarted = new RoleStage("2026-11-21T05:00:00Z", schedule);
  for (
    const stop of [
      "2026-11-21T06:00:30Z",
      "2026-11-21T06:01:00Z",
      "2026-11-21T12:00:00Z",
      "2026-11-22T12:00:00Z",
    ]
  ) {
    await restarted.runUntil(stop);
  }
  assert.deepEqual(
    restarted.runs.map((run) => run.slice(0, 19)),
    [first, second].map((run) => run.slice(0, 19)),
  );
});

Deno.test("a daemon that is first started between a due time and its delayed run waits for the next due time", async () => {
  const s = new RoleStage("2026-11-21T06:00:01Z", utcSchedule("06:00", { splayMs: 2 * HOUR_MS }));
  await s.runUntil("2026-11-21T12:00:00Z");
  assert.deepEqual(s.runs, []);
});

Deno.test("runs that are due in a denied window are one run at its end", async () => {
  const s = new RoleStage(
    "2026-11-21T20:00:00Z",
    utcSchedule("0 21,23,1,5,7 * * *", { deny: [utcWindow("22:00", 8)] }),
  );
  await s.runUntil("2026-11-22T08:00:00Z");
  assert.deepEqual(s.shortRuns, ["21T21:00", "22T06:00", "22T07:00"]);
});

Deno.test("windows that overlap or touch postpone a run to the end of the last", async () => {
  const deny = [utcWindow("05:30", 1), utcWindow("06:00", 2), utcWindow("08:00", 1)];
  const s = new RoleStage("2026-11-21T05:00:00Z", utcSchedule("06:00", { deny }));
  await s.runUntil("2026-11-21T12:00:00Z");
  assert.deepEqual(s.shortRuns, ["21T09:00"]);
});

Deno.test("a restart in a denied window keeps the postponed run, and a daemon that starts later catches up", async () => {
  const schedule = utcSchedule("23:00", { deny: [utcWindow("22:00", 8)] });
  const s = new RoleStage("2026-11-21T20:00:00Z", schedule);
  await s.runUntil("2026-11-22T00:00:00Z");
  await s.runUntil("2026-11-22T07:00:00Z");
  assert.deepEqual(s.shortRuns, ["22T06:00"]);
  await s.runUntil("2026-11-23T01:00:00Z");
  s.clock.advance(9 * HOUR_MS);
  await s.runUntil("2026-11-23T12:00:00Z");
  assert.deepEqual(s.shortRuns, ["22T06:00", "23T10:00"]);
});

Deno.test("a run that catches up starts in no denied window, and only if it is not too old at its end", async () => {
  for (const [catchUpMs, expected] of [[Infinity, ["21T10:00"]], [HOUR_MS, []]] as const) {
    const s = new RoleStage(
      "2026-11-21T05:00:00Z",
      utcSchedule("06:00", { catchUpMs, deny: [utcWindow("06:30", 3.5)] }),
    );
    s.jumps = [["2026-11-21T05:59:00Z", "2026-11-21T06:45:00Z"]];
    await s.runUntil("2026-11-21T12:00:00Z");
    assert.deepEqual(s.shortRuns, expected);
  }
});

Deno.test("a role with an interval runs at its start, outside denied windows, and again after the interval", async () => {
  const interval = { calendar: everyMinutes(15), isInterval: true };
  const s = new RoleStage("2026-11-21T05:00:00Z", utcSchedule([], interval), () => {
    s.clock.advance(60_000);
    return Promise.resolve();
  });
  await s.runUntil("2026-11-21T05:40:00Z");
  assert.deepEqual(s.shortRuns, ["21T05:00", "21T05:16", "21T05:32"]);
  const denied = new RoleStage(
    "2026-11-21T05:00:00Z",
    utcSchedule([], { ...interval, deny: [utcWindow("04:00", 2)] }),
  );
  await denied.runUntil("2026-11-21T06:10:00Z");
  assert.deepEqual(denied.shortRuns, ["21T06:00"]);
});

Deno.test("a run that began before a denied window ends normally, and a requested run starts in the window", async () => {
  const s = new RoleStage(
    "2026-11-21T05:58:00Z",
    utcSchedule("06:00", { deny: [utcWindow("06:10", 1)] }),
    () => {
      s.clock.advance(20 * 60_000);
      return Promise.resolve();
    },
  );
  let requests = 1;
  s.control = {
    pausedUntil: () => undefined,
    takeRequest: () => s.clock.now() >= new Date("2026-11-21T06:30:00Z") && requests-- > 0,
  };
  await s.runUntil("2026-11-21T09:00:00Z");
  assert.deepEqual(s.shortRuns, ["21T06:00", "21T06:30"]);
});

Deno.test("the delay also applies after a denied window", async () => {
  const changed = { deny: [utcWindow("05:00", 2)], splayMs: HOUR_MS };
  const s = new RoleStage("2026-11-21T04:00:00Z", utcSchedule("06:00", changed));
  await s.runUntil("2026-11-21T12:00:00Z");
  const [run = ""] = s.runs;
  assert.ok(s.runs.length === 1 && run > "2026-11-21T07:00:00" && run < "2026-11-21T08:00:00", run);
});

Deno.test("a retry that would start in a denied window waits for its end", async () => {
  const s = new RoleStage(
    "2026-11-21T05:58:00Z",
    utcSchedule("06:00", { deny: [utcWindow("06:01", 1)] }),
    (run) =>
      run === 1 ? Promise.reject(new UnreachableError("no network", { code: "X" })) : Promise.resolve(),
  );
  await s.runUntil("2026-11-21T09:00:00Z");
  assert.deepEqual(s.shortRuns, ["21T06:00", "21T07:01"]);
});
