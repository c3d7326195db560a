import assert from "node:assert/strict";
import fc from "fast-check";
import type { CanaryState, MetricState } from "../../lib/canary/canary_state.ts";
import { degradation, judge, type RoundVerdict } from "../../lib/canary/judge.ts";
import type { Reading } from "../../lib/canary/reading.ts";
import { Canary, CANARY_POLICIES, type CanarySettings } from "../../lib/config/sections/canary.ts";

const AT = "2026-11-21T00:01:00Z";

function settingsOf(
  changed: Record<string, unknown> = {},
  metric: Record<string, unknown> = {},
): CanarySettings {
  return Canary.parse({
    metrics: [{ name: "win_rate", type: "file", path: "win_rate", direction: "higher", ...metric }],
    ...changed,
  });
}

function metricState(name: string, baseline: Reading, failures = 0): MetricState {
  return { name, source: "", baseline, failures, samples: [] };
}

function stateOf(metrics: readonly MetricState[], changed: Partial<CanaryState> = {}): CanaryState {
  return {
    schema: 1,
    digest: `sha256:${"1".repeat(64)}`,
    previous: `sha256:${"2".repeat(64)}`,
    sequence: 2,
    runId: "run-1",
    startedAt: "2026-11-21T00:00:00Z",
    durationMs: 600_000,
    intervalMs: 60_000,
    watchedMs: 0,
    rounds: 0,
    status: "watching",
    reason: "",
    statusSince: "2026-11-21T00:00:00Z",
    concludedAt: null,
    metrics: [...metrics],
    ...changed,
  };
}

const value = (value: number): Reading => ({ kind: "value", value });
const NAN: Reading = { kind: "nan" };
const SILENT: Reading = { kind: "no-data", reason: "nobody answers" };

/** Judges one round of `win_rate` with a baseline of 0.6. */
function judgeOne(
  reading: Reading,
  options: {
    readonly settings?: CanarySettings;
    readonly baseline?: Reading;
    readonly failures?: number;
    readonly watchedMs?: number;
    readonly elapsedMs?: number;
  } = {},
) {
  const { settings = settingsOf(), baseline = value(0.6), failures = 0, watchedMs = 0 } = options;
  const state = stateOf([metricState("win_rate", baseline, failures)], { watchedMs });
  const readings = new Map([["win_rate", reading]]);
  return judge(state, settings, { readings, at: AT, elapsedMs: options.elapsedMs ?? 60_000 });
}

/** The last round of the time. */
const LAST = { watchedMs: 540_000 } as const;

Deno.test("judge() continues until the time is over, and then passes a release that is not degraded", () => {
  const early = judgeOne(value(0.6));
  assert.deepEqual(early.verdict, { kind: "continue", reason: "" });
  assert.deepEqual([early.state.watchedMs, early.state.rounds, early.state.status], [60_000, 1, "watching"]);
  assert.deepEqual(early.state.metrics[0]?.samples, [{ at: AT, reading: value(0.6) }]);
  const last = judgeOne(value(0.6), LAST);
  assert.deepEqual([last.verdict.kind, last.state.status, last.state.statusSince], ["passed", "passed", AT]);
});

Deno.test("judge() tolerates a sample exactly at the limit, despite binary fractions", () => {
  assert.equal(judgeOne(value(0.51), LAST).verdict.kind, "passed");
  assert.equal(judgeOne(value(0.5099), LAST).verdict.kind, "continue");
  assert.equal(judgeOne(value(0.9), LAST).verdict.kind, "passed");
});

Deno.test("judge() counts degraded samples over the whole time, and names them", () => {
  const settings = settingsOf({ failure_limit: 1 });
  const first = judgeOne(value(0.3), { settings });
  assert.deepEqual(first.verdict, {
    kind: "continue",
    reason: "win_rate is 0.3, 50 % worse than its baseline 0.6 (15 % allowed)",
  });
  const between = judge(first.state, settings, {
    readings: new Map([["win_rate", value(0.6)]]),
    at: AT,
    elapsedMs: 60_000,
  });
  assert.equal(between.verdict.kind, "continue");
  const second = judge(between.state, settings, {
    readings: new Map([["win_rate", value(0.3)]]),
    at: AT,
    elapsedMs: 60_000,
  });
  assert.deepEqual(second.verdict, {
    kind: "degraded",
    reason: "win_rate was degraded in 2 samples, 1 is tolerated; " +
      "win_rate is 0.3, 50 % worse than its baseline 0.6 (15 % allowed)",
  });
  assert.equal(second.state.status, "degraded");
});

Deno.test("judge() does not pass a release on a tolerated sample when the time is over", () => {
  const late = judgeOne(value(0.3), LAST);
  assert.equal(late.verdict.kind, "continue");
  const readings = new Map([["win_rate", value(0.6)]]);
  assert.equal(judge(late.state, settingsOf(), { readings, at: AT, elapsedMs: 1 }).verdict.kind, "passed");
});

Deno.test("judge() fails at once beyond a catastrophic limit, with or without a baseline", () => {
  const settings = settingsOf({ failure_limit: 100 }, { catastrophic: 0.3 });
  for (const baseline of [value(0.6), value(0), SILENT, NAN]) {
    const { verdict, state } = judgeOne(value(0.29), { settings, baseline });
    assert.deepEqual(verdict, {
      kind: "catastrophic",
      reason: "win_rate is 0.29, below its catastrophic limit 0.3",
    });
    assert.equal(state.status, "degraded");
  }
  assert.equal(judgeOne(value(0.3), { settings, baseline: value(0.3) }).verdict.kind, "continue");
  const lower = settingsOf({}, { direction: "lower", catastrophic: 1000 });
  assert.equal(
    judgeOne(value(1001), { settings: lower, baseline: value(5000) }).verdict.kind,
    "catastrophic",
  );
});

Deno.test("judge() compares with a baseline of zero by difference, and with a negative one by its size", () => {
  const drawdown = settingsOf({ failure_limit: 0 }, { direction: "lower", max_degradation: 0.2 });
  assert.equal(judgeOne(value(0.2), { settings: drawdown, baseline: value(0) }).verdict.kind, "continue");
  assert.deepEqual(judgeOne(value(0.21), { settings: drawdown, baseline: value(5e-17) }).verdict, {
    kind: "degraded",
    reason: "win_rate was degraded in 1 sample, 0 are tolerated; " +
      "win_rate is 0.21, 0.21 worse than its baseline 5e-17 (0.2 allowed)",
  });
  const sharpe = settingsOf({ failure_limit: 0 }, { max_degradation: 0.3 });
  assert.equal(judgeOne(value(-1.3), { settings: sharpe, baseline: value(-1) }).verdict.kind, "continue");
  assert.equal(judgeOne(value(-1.4), { settings: sharpe, baseline: value(-1) }).verdict.kind, "degraded");
});

Deno.test("a metric without data pauses the canary, counts as degraded, or is ignored, as the policy says", () => {
  for (const [reading, key] of [[SILENT, "no_data"], [NAN, "nan"]] as const) {
    const paused = judgeOne(reading, { ...LAST, settings: settingsOf({ [key]: "pause" }) });
    assert.deepEqual([paused.verdict.kind, paused.state.status, paused.state.watchedMs], [
      "paused",
      "paused",
      540_000,
    ]);
    const counted = judgeOne(reading, { ...LAST, settings: settingsOf({ [key]: "rollback" }) });
    assert.deepEqual([counted.verdict.kind, counted.state.metrics[0]?.failures], ["continue", 1]);
    const over = judgeOne(reading, { settings: settingsOf({ [key]: "rollback" }), failures: 2 });
    assert.equal(over.verdict.kind, "degraded");
    const ignored = judgeOne(reading, { ...LAST, settings: settingsOf({ [key]: "ignore" }) });
    assert.match(ignored.verdict.reason, /^no metric is degraded; ignored: win_rate /);
    assert.deepEqual([ignored.verdict.kind, ignored.state.metrics[0]?.failures], ["passed", 0]);
  }
});

Deno.test("a metric without a baseline, or with NaN as its baseline, is a metric without data", () => {
  for (const baseline of [SILENT, NAN]) {
    const kinds = CANARY_POLICIES.map((no_data) =>
      judgeOne(value(0.1), {
        ...LAST,
        baseline,
        failures: 2,
        settings: settingsOf({ no_data, failure_limit: 2 }),
      }).verdict
    );
    assert.deepEqual(kinds.map(({ kind }) => kind), ["paused", "degraded", "passed"]);
    assert.match(kinds[0]?.reason ?? "", /win_rate has no baseline: (nobody answers|it was not a number)/);
  }
});

Deno.test("a paused canary continues when there is data again", () => {
  const paused = judgeOne(SILENT, { watchedMs: 120_000 });
  const readings = new Map([["win_rate", value(0.6)]]);
  const resumed = judge(paused.state, settingsOf(), { readings, at: AT, elapsedMs: 60_000 });
  assert.deepEqual([resumed.state.status, resumed.state.watchedMs], ["watching", 180_000]);
});

Deno.test("a limit that is lowered during the canary applies to earlier samples, too", () => {
  const { verdict } = judgeOne(value(0.6), { settings: settingsOf({ failure_limit: 1 }), failures: 2 });
  assert.deepEqual(verdict, {
    kind: "degraded",
    reason: "win_rate was degraded in 2 samples, 1 is tolerated",
  });
});

Deno.test("at most two intervals between two rounds count as watched, and none when the clock is set back", () => {
  assert.equal(judgeOne(value(0.6), { elapsedMs: 8 * 3_600_000 }).state.watchedMs, 120_000);
  assert.equal(judgeOne(value(0.6), { elapsedMs: -5_000 }).state.watchedMs, 0);
});

Deno.test("the state keeps the last twenty samples of a metric", () => {
  let { state } = judgeOne(value(0));
  for (let count = 1; count <= 30; count++) {
    const readings = new Map([["win_rate", value(count)]]);
    state = judge(state, settingsOf(), { readings, at: AT, elapsedMs: 1 }).state;
  }
  assert.deepEqual(state.metrics[0]?.samples.map(({ reading }) => reading), [
    ...Array.from({ length: 20 }, (_, index) => value(index + 11)),
  ]);
});

// Properties that hold for every number.

const SEVERITY: Readonly<Record<RoundVerdict["kind"], number>> = {
  passed: 0,
  continue: 1,
  paused: 2,
  degraded: 3,
  catastrophic: 4,
};

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const reading = fc.oneof(
  { weight: 4, arbitrary: fc.double({ min: -10, max: 10, noNaN: true }).map(value) },
  { weight: 1, arbitrary: finite.map(value) },
  { weight: 1, arbitrary: fc.constantFrom(NAN, SILENT) },
);
const direction = fc.constantFrom("higher" as const, "lower" as const);
const policy = fc.constantFrom(...CANARY_POLICIES);

const METRIC_NAMES = ["a", "b", "c"];

/** A canary of up to three metrics in the middle of its life, and a round of readings. */
const situation = fc.record({
  metrics: fc.array(
    fc.record({
      direction,
      max_degradation: fc.double({ min: 0, max: 2, noNaN: true }),
      catastrophic: fc.option(fc.double({ min: -10, max: 10, noNaN: true }), { nil: undefined }),
      baseline: reading,
      reading,
      failures: fc.nat(3),
    }),
    { minLength: 1, maxLength: METRIC_NAMES.length },
  ),
  failure_limit: fc.nat(3),
  no_data: policy,
  nan: policy,
  watchedMs: fc.constantFrom(0, 540_000, 600_000),
});
type Situation = Parameters<Parameters<typeof situation.map>[0]>[0];

function judgeAll({ metrics, watchedMs, ...keys }: Situation): ReturnType<typeof judge> {
  const named = metrics.map((metric, index) => ({ ...metric, name: METRIC_NAMES[index] ?? "" }));
  const settings = Canary.parse({
    ...keys,
    metrics: named.map(({ name, direction, max_degradation, catastrophic }) => ({
      type: "file",
      path: name,
      name,
      direction,
      max_degradation,
      catastrophic,
    })),
  });
  const state = stateOf(named.map((metric) => metricState(metric.name, metric.baseline, metric.failures)), {
    watchedMs,
  });
  return judge(state, settings, {
    readings: new Map(named.map((metric) => [metric.name, metric.reading])),
    at: AT,
    elapsedMs: 60_000,
  });
}

const severity = (situation: Situation) => SEVERITY[judgeAll(situation).verdict.kind];

/** The situation with another reading of its first metric. */
function withFirst(situation: Situation, reading: Reading): Situation {
  return {
    ...situation,
    metrics: situation.metrics.map((metric, index) => index === 0 ? { ...metric, reading } : metric),
  };
}

Deno.test("a worse value never gives a better verdict", () => {
  fc.assert(
    fc.property(situation, finite, finite, (situation, one, other) => {
      const [low, high] = one < other ? [one, other] : [other, one];
      const isHigher = situation.metrics[0]?.direction === "higher";
      const worse = severity(withFirst(situation, value(isHigher ? low : high)));
      const better = severity(withFirst(situation, value(isHigher ? high : low)));
      assert.ok(worse >= better, `${worse} for the worse value, ${better} for the better`);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a release never passes before its time, with a sample beyond its limit, or over the failure limit", () => {
  fc.assert(
    fc.property(situation, (situation) => {
      const { verdict, state } = judgeAll(situation);
      if (verdict.kind !== "passed") return;
      assert.ok(state.watchedMs >= state.durationMs);
      for (const [index, metric] of situation.metrics.entries()) {
        assert.ok((state.metrics[index]?.failures ?? 0) <= situation.failure_limit);
        const { baseline, reading, direction, max_degradation, catastrophic } = metric;
        if (reading.kind !== "value") continue;
        if (catastrophic !== undefined) {
          assert.ok(direction === "higher" ? reading.value >= catastrophic : reading.value <= catastrophic);
        }
        if (baseline.kind !== "value") continue;
        assert.ok(degradation(direction, baseline.value, reading.value) <= max_degradation + 1e-9);
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a reading that is not a number never counts as good", () => {
  fc.assert(
    fc.property(situation, fc.constantFrom(NAN, SILENT), (situation, missing) => {
      const { verdict } = judgeAll(withFirst(situation, missing));
      const isIgnored = situation[missing.kind === "nan" ? "nan" : "no_data"] === "ignore";
      if (verdict.kind === "passed") assert.ok(isIgnored && verdict.reason.includes("ignored: a "));
      if (isIgnored || situation.metrics[0]?.baseline.kind !== "value") return;
      // It is not better than the best value either.
      const best = value(situation.metrics[0]?.direction === "higher" ? Number.MAX_VALUE : -Number.MAX_VALUE);
      assert.ok(SEVERITY[verdict.kind] >= severity(withFirst(situation, best)));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("both directions are mirror images", () => {
  const mirrored = (reading: Reading): Reading => reading.kind === "value" ? value(-reading.value) : reading;
  fc.assert(
    fc.property(situation, (situation) => {
      const mirror: Situation = {
        ...situation,
        metrics: situation.metrics.map((metric) => ({
          ...metric,
          direction: metric.direction === "higher" ? "lower" : "higher",
          baseline: mirrored(metric.baseline),
          reading: mirrored(metric.reading),
          catastrophic: metric.catastrophic === undefined ? undefined : -metric.catastrophic,
        })),
      };
      const [one, other] = [judgeAll(situation), judgeAll(mirror)];
      assert.equal(one.verdict.kind, other.verdict.kind);
      assert.deepEqual(
        one.state.metrics.map(({ failures }) => failures),
        other.state.metrics.map(({ failures }) => failures),
      );
    }),
    { numRuns: 2_000 },
  );
});
