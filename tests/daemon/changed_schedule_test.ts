import assert from "node:assert/strict";
import { UnreachableError, UsageError } from "../../lib/core/errors.ts";
import type { RoleSchedule } from "../../lib/schedule/agenda.ts";
import { ModelSync } from "../../lib/config/schema.ts";
import { roleSchedule } from "../../lib/config/roles.ts";
import { RoleStage, utcSchedule, utcWindow } from "../helpers/role_stage.ts";

/** Changes the schedule of a role at a time; `undefined` is an invalid configuration. */
function changeAt(s: RoleStage, changes: readonly (readonly [string, RoleSchedule | undefined])[]): void {
  const left = [...changes];
  const first = s.schedule;
  let schedule: () => Promise<RoleSchedule> = first;
  s.schedule = () => schedule();
  s.hasChanged = () => {
    const [when = "", changed] = left[0] ?? [];
    if (left.length === 0 || s.clock.now() < new Date(when)) return false;
    left.shift();
    schedule = () =>
      changed === undefined
        ? Promise.reject(new UsageError("line 3 is broken", { code: "CONFIG_INVALID" }))
        : Promise.resolve(changed);
    return true;
  };
}

const announcements = (s: RoleStage) => s.log.lines.filter((line) => line.includes("next client run at"));

Deno.test("a schedule that is changed while the role waits is followed within a minute, with one line", async () => {
  const s = new RoleStage("2026-11-21T02:00:00Z", "06:00");
  changeAt(s, [["2026-11-21T02:10:00Z", utcSchedule("02:30")]]);
  await s.runUntil("2026-11-21T02:11:00Z");
  assert.deepEqual(announcements(s), [
    "info next client run at 2026-11-21T06:00:00Z",
    "info next client run at 2026-11-21T02:30:00Z",
  ]);
  assert.equal(s.remembered?.next.toISOString(), "2026-11-21T02:30:00.000Z");
  await s.runUntil("2026-11-22T03:00:00Z");
  assert.deepEqual(s.shortRuns, ["21T02:30", "22T02:30"]);
});

Deno.test("a change of other settings is not logged as a change of the schedule", async () => {
  const s = new RoleStage("2026-11-21T02:00:00Z", utcSchedule("06:00", { splayMs: 3_600_000 }));
  changeAt(s, [["2026-11-21T06:00:30Z", utcSchedule("06:00", { splayMs: 3_600_000 })]]);
  await s.runUntil("2026-11-21T12:00:00Z");
  assert.equal(s.runs.length, 1);
  assert.equal(announcements(s).length, 2);
});

Deno.test("a configuration that becomes invalid is one warning, and the schedule stays", async () => {
  const s = new RoleStage("2026-11-21T02:00:00Z", "06:00");
  changeAt(s, [["2026-11-21T02:10:00Z", undefined]]);
  await s.runUntil("2026-11-21T05:59:00Z");
  assert.deepEqual(s.log.lines.filter((line) => line.startsWith("warn")), [
    'warn keeping the schedule "06:00": line 3 is broken',
  ]);
});

Deno.test("a changed time zone, window or delay is a changed schedule", async () => {
  const inZone = (zone: string) =>
    roleSchedule("client", ModelSync.parse({ time_zone: zone, client: { schedule: "06:00" } }));
  for (
    const [changed, next] of [
      [inZone("Europe/Paris"), "2026-11-22T05:00:00.000Z"],
      [inZone("Asia/Kolkata"), "2026-11-22T00:30:00.000Z"],
      [utcSchedule("06:00", { deny: [utcWindow("05:00", 3)] }), "2026-11-22T08:00:00.000Z"],
    ] as const
  ) {
    const s = new RoleStage("2026-11-21T12:00:00Z", inZone("UTC"));
    changeAt(s, [["2026-11-21T12:10:00Z", changed]]);
    await s.runUntil("2026-11-21T12:20:00Z");
    assert.equal(s.remembered?.next.toISOString(), next);
  }
});

Deno.test("a change of the schedule keeps reached due times, also in a pause and before a retry", async () => {
  const paused = new RoleStage("2026-11-21T05:30:00Z", "06:00");
  changeAt(paused, [["2026-11-21T06:30:00Z", utcSchedule("02:30")]]);
  paused.control = {
    pausedUntil: () => paused.clock.now() < new Date("2026-11-21T07:00:00Z") ? "resumed" : undefined,
    takeRequest: () => false,
  };
  await paused.runUntil("2026-11-22T03:00:00Z");
  assert.deepEqual(paused.shortRuns, ["21T07:00", "22T02:30"]);

  const failing = new RoleStage(
    "2026-11-21T05:59:00Z",
    "06:00",
    (run) => run < 4 ? Promise.reject(new UnreachableError("no network", { code: "X" })) : Promise.resolve(),
  );
  changeAt(failing, [["2026-11-21T06:04:00Z", utcSchedule("02:30")]]);
  await failing.runUntil("2026-11-22T03:00:00Z");
  assert.deepEqual(failing.shortRuns, ["21T06:00", "21T06:01", "21T06:03", "21T06:07", "22T02:30"]);
});
