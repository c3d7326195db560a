import assert from "node:assert/strict";
import type { CanaryState } from "../../lib/canary/canary_state.ts";
import { canaryLines, describeCanary, roundLine } from "../../lib/canary/describe_canary.ts";
import { Canary } from "../../lib/config/sections/canary.ts";

const AT = "2026-11-21T06:05:00Z";

const SETTINGS = Canary.parse({
  metrics: [
    { name: "win_rate", type: "file", path: "a", direction: "higher", catastrophic: 0.3 },
    { name: "drawdown", type: "file", path: "b", direction: "lower", max_degradation: 200 },
    { name: "sharpe", type: "file", path: "c", direction: "higher", max_degradation: 0.3 },
    { name: "errors", type: "file", path: "d", direction: "lower" },
  ],
});

const STATE: CanaryState = {
  schema: 1,
  digest: `sha256:${"a1".repeat(32)}`,
  previous: `sha256:${"b2".repeat(32)}`,
  sequence: 7,
  runId: "run-7",
  startedAt: "2026-11-21T06:00:00Z",
  durationMs: 1_800_000,
  intervalMs: 60_000,
  watchedMs: 300_000.4,
  rounds: 5,
  status: "watching",
  reason: "",
  statusSince: "2026-11-21T06:00:00Z",
  concludedAt: null,
  metrics: [
    {
      name: "win_rate",
      source: "",
      baseline: { kind: "value", value: 0.62 },
      failures: 1,
      samples: [
        { at: "2026-11-21T06:04:00Z", reading: { kind: "nan" } },
        { at: AT, reading: { kind: "value", value: 0.58 } },
      ],
    },
    {
      name: "drawdown",
      source: "",
      baseline: { kind: "value", value: 0 },
      failures: 0,
      samples: [{ at: AT, reading: { kind: "value", value: 120.456 } }],
    },
    {
      name: "sharpe",
      source: "",
      baseline: { kind: "no-data", reason: "nobody answers" },
      failures: 0,
      samples: [{ at: AT, reading: { kind: "nan" } }],
    },
    { name: "errors", source: "", baseline: { kind: "value", value: 3 }, failures: 0, samples: [] },
    { name: "gone", source: "", baseline: { kind: "value", value: 3 }, failures: 0, samples: [] },
  ],
};

Deno.test("canaryLines() has a line for the state, one for the time, and one for each metric", () => {
  assert.deepEqual(canaryLines(describeCanary(STATE, SETTINGS)), [
    "release a1a1a1a1a1a1 (sequence 7): watching",
    `watched for 5 min since 2026-11-21T06:00:00Z, 5 samples, the last at ${AT}, 25 min left`,
    "  win_rate 0.58 (-6.45 %), baseline 0.62, -15 % allowed, catastrophic 0.3, 1 degraded, 2 tolerated",
    "  drawdown 120.5 (+120.5), baseline 0, +200 allowed, 0 degraded, 2 tolerated",
    "  sharpe not a number, no baseline (nobody answers), -30 % allowed, 0 degraded, 2 tolerated",
    "  errors not sampled yet, baseline 3, +15 % allowed, 0 degraded, 2 tolerated",
    "  gone not sampled yet, baseline 3, not configured any more, 0 degraded, 2 tolerated",
  ]);
});

Deno.test("canaryLines() gives the reason of a metric without a value", () => {
  const [metric] = STATE.metrics;
  const reading = { kind: "no-data", reason: "there is no file /a" } as const;
  const state = { ...STATE, metrics: [{ ...metric ?? assert.fail(), samples: [{ at: AT, reading }] }] };
  assert.match(
    canaryLines(describeCanary(state, SETTINGS))[2] ?? "",
    /^ {2}win_rate has no value \(there is no file \/a\), baseline 0\.62,/,
  );
  assert.match(roundLine(state, SETTINGS), /^win_rate has no value \(there is no file \/a\); 25 min left$/);
});

Deno.test("canaryLines() says why and since when a canary is paused, and what follows a verdict", () => {
  const lines = (changed: Partial<CanaryState>) =>
    canaryLines(describeCanary({ ...STATE, statusSince: AT, ...changed, metrics: [] }, SETTINGS));
  assert.deepEqual(lines({ status: "paused", reason: "win_rate has no data" }), [
    "release a1a1a1a1a1a1 (sequence 7): paused: win_rate has no data",
    `watched for 5 min since 2026-11-21T06:00:00Z, 5 samples, 25 min left when there is data again, paused since ${AT}`,
  ]);
  const noBaseline = describeCanary({ ...STATE, status: "paused", statusSince: AT }, SETTINGS);
  assert.match(
    canaryLines(noBaseline)[1] ?? "",
    /25 min left, paused since .*: without a baseline only an operator can end it: model-sync canary promote, or abort$/,
  );
  assert.match(lines({ status: "degraded" })[1] ?? "", /ended at .*, to be rolled back by the next run$/);
  assert.match(lines({ status: "degraded", concludedAt: AT })[1] ?? "", /ended at 2026-11-21T06:05:00Z$/);
  assert.match(lines({ status: "promoted" })[1] ?? "", /ended at 2026-11-21T06:05:00Z$/);
});

Deno.test("describeCanary() returns plain data, with null for unknown values", () => {
  const described = describeCanary(STATE, SETTINGS);
  assert.deepEqual(JSON.parse(JSON.stringify(described)), described);
  assert.deepEqual([described.watchedMs, described.leftMs, described.failureLimit], [300_000, 1_500_000, 2]);
  assert.equal(describeCanary({ ...STATE, status: "passed" }, SETTINGS).leftMs, 0);
  const { change, ...winRate } = described.metrics[0] ?? assert.fail();
  assert.ok(Math.abs((change ?? 0) - (0.58 - 0.62) / 0.62) < 1e-12);
  assert.deepEqual(winRate, {
    name: "win_rate",
    direction: "higher",
    baseline: 0.62,
    baselineMissing: null,
    last: 0.58,
    lastMissing: null,
    lastAt: AT,
    maxDegradation: 0.15,
    catastrophic: 0.3,
    failures: 1,
  });
  const { baselineMissing, last, lastMissing } = described.metrics[2] ?? assert.fail();
  assert.deepEqual([baselineMissing, last, lastMissing], ["nobody answers", null, "not a number"]);
  assert.deepEqual(described.metrics[4]?.direction, null);
});
