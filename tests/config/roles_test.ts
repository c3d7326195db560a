import assert from "node:assert/strict";
import { ModelSync } from "../../lib/config/schema.ts";
import { nextStart, roleSchedule } from "../../lib/config/roles.ts";

const NOW = new Date("2026-11-21T12:07:00Z");

function nextOf(
  role: Parameters<typeof roleSchedule>[0],
  section: Record<string, unknown> = {},
  at: string | undefined = undefined,
) {
  const settings = ModelSync.parse({ time_zone: "UTC", ...section });
  return nextStart(roleSchedule(role, settings, at), NOW)?.toISOString();
}

Deno.test("roleSchedule() has the seeds' times by default, each role with its own setting", () => {
  assert.equal(nextOf("publisher"), "2026-11-22T00:00:00.000Z");
  assert.equal(nextOf("client"), "2026-11-22T06:00:00.000Z");
  assert.equal(nextOf("runpod_client"), "2026-11-22T03:00:00.000Z");
  assert.equal(nextOf("huggingface_client"), "2026-11-22T06:00:00.000Z");
  assert.equal(nextOf("artifact_client"), "2026-11-21T12:22:00.000Z");
  assert.equal(
    nextOf("artifact_client", { artifacts: { interval_minutes: 60 } }),
    "2026-11-21T13:07:00.000Z",
  );
  assert.equal(nextOf("runpod_client", { runpod_client: { schedule: "13:00" } }), "2026-11-21T13:00:00.000Z");
});

Deno.test("roleSchedule() follows --at for every role, and refuses a text that is not a schedule", () => {
  assert.equal(nextOf("artifact_client", {}, "*/30 * * * *"), "2026-11-21T12:30:00.000Z");
  assert.throws(() => nextOf("client", {}, "now"), RangeError);
  for (const at of ["0 0 30 2 *", "06:00; 0 0 31 4,6 *"]) {
    assert.throws(() => nextOf("client", {}, at), /^RangeError: "0 0 3\d .*" names no day that ever comes$/);
  }
  assert.equal(nextOf("client", {}, "0 0 29 2 *"), "2028-02-29T00:00:00.000Z");
});

Deno.test("roleSchedule() runs the reference sync hourly, and artifacts at configured times instead of intervals", () => {
  assert.equal(nextOf("references"), "2026-11-21T13:00:00.000Z");
  const artifacts = { schedule: ["06:00", "18:00"] };
  assert.equal(nextOf("artifact_client", { artifacts }), "2026-11-21T18:00:00.000Z");
  assert.ok(!roleSchedule("artifact_client", ModelSync.parse({ artifacts })).isInterval);
  assert.ok(roleSchedule("artifact_client", ModelSync.parse({})).isInterval);
});

Deno.test("roleSchedule() accepts several times for --at, and a denied window postpones the next start", () => {
  assert.equal(nextOf("client", {}, "06:00,13:30"), "2026-11-21T13:30:00.000Z");
  assert.equal(nextOf("client", {}, "06:00; 0 14,15 * * *"), "2026-11-21T14:00:00.000Z");
  assert.throws(() => nextOf("client", {}, "06:00; 0 14"), RangeError);
  const client = { schedule: "13:00", deny: [{ cron: "12:30", duration: "2h" }] };
  assert.equal(nextOf("client", { client }), "2026-11-21T14:30:00.000Z");
});
