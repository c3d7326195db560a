import assert from "node:assert/strict";
import { FailedError, UnreachableError } from "../../lib/core/errors.ts";
import { RoleStage } from "../helpers/role_stage.ts";

const unreachable = () => new UnreachableError("no network", { code: "X" });
const broken = () => new FailedError("no such branch", { code: "Y" });

/** A role whose operator requests a run at each of these times, and whose first runs end in these failures. */
function stage(
  { start, times = "06:00", requests, failures, pausedUntil, work = () => {} }: {
    start: string;
    times?: string;
    requests: string[];
    failures: (Error | undefined)[];
    pausedUntil?: string;
    work?: (run: number) => void;
  },
): RoleStage {
  const s = new RoleStage(start, times, (run) => {
    work(run);
    const failure = failures[run - 1];
    return failure === undefined ? Promise.resolve() : Promise.reject(failure);
  });
  const left = [...requests];
  s.control = {
    pausedUntil: () => s.clock.now() < new Date(pausedUntil ?? 0) ? "resumed" : undefined,
    takeRequest: () => {
      const isRequested = left[0] !== undefined && s.clock.now() >= new Date(left[0]);
      if (isRequested) left.shift();
      return isRequested;
    },
  };
  return s;
}

/** Wakes the loop every ten seconds, so that requests are seen in time. */
async function runUntil(s: RoleStage, end: string, runOnStart = false): Promise<void> {
  const stop = new AbortController();
  await s.runUntil("", {
    runOnStart,
    signal: stop.signal,
    wake: (durationMs) => {
      s.clock.advance(Math.min(durationMs, 10_000));
      if (s.clock.now() >= new Date(end)) stop.abort();
      return Promise.resolve();
    },
  });
}

Deno.test("a requested run that fails leaves a due time its retry, also across a restart of the daemon", async () => {
  for (const failure of [unreachable(), broken()]) {
    const s = stage({
      start: "2027-01-10T05:59:50Z",
      requests: ["2027-01-10T06:00:30Z"],
      failures: [unreachable(), failure, undefined],
    });
    await runUntil(s, "2027-01-10T06:00:40Z");
    assert.deepEqual(s.remembered?.due, new Date("2027-01-10T06:00:00Z"));
    await runUntil(s, "2027-01-10T09:00:00Z");
    assert.deepEqual(s.shortRuns, ["10T06:00", "10T06:00", "10T06:01"]);
  }
});

Deno.test("failed requested runs use up no retry of a due time", async () => {
  const s = stage({
    start: "2027-01-10T05:50:00Z",
    requests: ["05:55", "06:00", "06:02", "06:05", "06:09"].map((time) => `2027-01-10T${time}:20Z`),
    failures: Array.from({ length: 40 }, unreachable),
  });
  await runUntil(s, "2027-01-10T09:00:00Z");
  const requested = ["10T05:55", "10T06:00", "10T06:02", "10T06:05", "10T06:09"];
  const retriesOfRequest = ["10T05:56", "10T05:58"];
  const ofDueTime = ["10T06:00", "10T06:01", "10T06:03", "10T06:07", "10T06:15", "10T06:31", "10T07:01"];
  assert.deepEqual(s.shortRuns, [...requested, ...retriesOfRequest, ...ofDueTime].sort());
});

Deno.test("a requested run that succeeds serves the due time that waits for its retry", async () => {
  const s = stage({
    start: "2027-01-10T05:59:50Z",
    requests: ["2027-01-10T06:00:30Z"],
    failures: [unreachable()],
  });
  await runUntil(s, "2027-01-10T07:00:00Z");
  await runUntil(s, "2027-01-11T07:00:00Z");
  assert.deepEqual(s.shortRuns, ["10T06:00", "10T06:00", "11T06:00"]);
});

Deno.test("a due time that a pause postponed runs afterwards, unless a requested run succeeded meanwhile", async () => {
  for (const [failure, madeUpFor] of [[broken(), ["10T07:00"]], [undefined, []]] as const) {
    const s = stage({
      start: "2027-01-10T05:50:00Z",
      requests: ["2027-01-10T06:30:00Z"],
      failures: [failure],
      pausedUntil: "2027-01-10T07:00:00Z",
    });
    await runUntil(s, "2027-01-10T09:00:00Z");
    assert.deepEqual(s.shortRuns, ["10T06:30", ...madeUpFor]);
  }
});

Deno.test("the retry of a requested run replaces no due time", async () => {
  const s: RoleStage = stage({
    start: "2027-01-10T05:50:00Z",
    requests: ["2027-01-10T05:58:50Z"],
    failures: [unreachable()],
    // The retry begins at 05:59:50 and ends after 06:00.
    work: (run) => s.clock.advance(run === 2 ? 60_000 : 0),
  });
  await runUntil(s, "2027-01-10T07:00:00Z");
  assert.deepEqual(s.shortRuns, ["10T05:58", "10T05:59", "10T06:00"]);
});

Deno.test("a daemon that also runs at its start keeps the due time that waits for its retry", async () => {
  const s = stage({
    start: "2027-01-10T05:59:50Z",
    requests: [],
    failures: [unreachable(), unreachable(), undefined],
  });
  await runUntil(s, "2027-01-10T06:00:20Z");
  await runUntil(s, "2027-01-10T06:00:30Z", true);
  assert.deepEqual(s.remembered?.due, new Date("2027-01-10T06:00:00Z"));
  await runUntil(s, "2027-01-10T08:00:00Z");
  assert.deepEqual(s.shortRuns, ["10T06:00", "10T06:00", "10T06:01"]);
});
