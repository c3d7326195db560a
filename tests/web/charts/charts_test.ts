import assert from "node:assert/strict";
import { bandSegments } from "../../../web/charts/band_segments.ts";
import { metricLimits } from "../../../web/charts/metric_limits.ts";
import { runPoints } from "../../../web/charts/run_points.ts";
import { stepScale } from "../../../web/charts/step_scale.ts";
import { timeTicks } from "../../../web/charts/time_axis.ts";
import { metricAxis, metricLabel, valueAxis } from "../../../web/charts/value_axis.ts";
import { activationsOf, runRows } from "../gallery_charts.tsx";
import { digestOf, NOW } from "../gallery_data.ts";

const DAY = 86_400_000;
const FROM = new Date(NOW.getTime() - 30 * DAY);

Deno.test("a band begins with the release that was active before it, and ends with the active one", () => {
  const segments = bandSegments(activationsOf([[40, 37], [10, 38]]), FROM, NOW);
  assert.deepEqual(segments.map(({ sequence }) => sequence), [37, 38]);
  assert.equal(segments[0]?.from.getTime(), FROM.getTime());
  assert.equal(segments[1]?.to.getTime(), NOW.getTime());
  assert.deepEqual(
    bandSegments(activationsOf([[40, 37], [35, 38]]), FROM, NOW).map(({ sequence }) => sequence),
    [
      38,
    ],
  );
});

Deno.test("a band marks the release that a node rolled back from, not the one that it rolled back to", () => {
  const segments = bandSegments(activationsOf([[9, 41], [2, 42], [1, 41]]), FROM, NOW);
  assert.deepEqual(segments.map(({ sequence, fate }) => [sequence, fate]), [
    [41, "kept"],
    [42, "rolled-back"],
    [41, "kept"],
  ]);
});

Deno.test("a band marks quarantined releases, joins repeated activations, and accepts any order", () => {
  const activations = activationsOf([[9, 41], [5, 41], [2, 42]]).toReversed();
  const segments = bandSegments(activations, FROM, NOW, new Set([digestOf("42c571816245a5")]));
  assert.deepEqual(segments.map(({ sequence, fate }) => [sequence, fate]), [[41, "kept"], [
    42,
    "quarantined",
  ]]);
});

Deno.test("activations from a clock that is ahead do not exceed the band", () => {
  const segments = bandSegments(activationsOf([[9, 41], [-3, 42]]), FROM, NOW);
  assert.deepEqual(segments.map(({ sequence, to }) => [sequence, to.getTime()]), [[41, NOW.getTime()]]);
});

Deno.test("ticks of durations and bytes are round", () => {
  const labels = (largest: number, unit: "duration" | "bytes") =>
    valueAxis(largest, unit).ticks.map(({ label }) => label);
  assert.deepEqual(labels(12_000, "duration"), ["0", "5 s", "10 s", "15 s"]);
  assert.deepEqual(labels(840, "duration"), ["0", "500 ms", "1 s"]);
  assert.deepEqual(labels(14_400_000, "duration"), ["0", "1 h", "2 h", "3 h", "4 h"]);
  assert.deepEqual(labels(90 * 1024 ** 2, "bytes"), ["0", "50 MiB", "100 MiB"]);
  assert.equal(valueAxis(0, "bytes").ticks.length, 2);
  assert.ok(valueAxis(1e18, "bytes").ticks.length <= 5);
});

Deno.test("ticks of a time axis are midnights in the reader's zone, even across a clock change", () => {
  const span = { from: new Date("2026-10-20T00:00:00Z"), to: new Date("2026-10-30T00:00:00Z") };
  const ticks = timeTicks(span, "Europe/Paris", 8);
  assert.deepEqual(
    ticks.map(({ label }) => label),
    ["20 Oct", "22 Oct", "24 Oct", "26 Oct", "28 Oct", "30 Oct"].slice(1),
  );
  const at = ticks.map(({ part }) => new Date(span.from.getTime() + part * 10 * DAY).toISOString());
  assert.equal(at[1], "2026-10-23T22:00:00.000Z");
  assert.equal(at[2], "2026-10-25T23:00:00.000Z");
});

Deno.test("a short span has times of day, a moment has its day and time, and a reversed span has no labels", () => {
  const to = new Date("2026-11-29T09:00:00Z");
  const hour = timeTicks({ from: new Date(to.getTime() - 3_600_000), to }, "Europe/Paris", 4);
  assert.deepEqual(hour.map(({ label }) => label), ["09:00", "09:15", "09:30", "09:45", "10:00"]);
  assert.deepEqual(timeTicks({ from: to, to }, "Europe/Paris", 4), [{ part: 0.5, label: "29 Nov, 10:00" }]);
  assert.deepEqual(timeTicks({ from: to, to: new Date(0) }, "UTC", 4), []);
});

Deno.test("the median is that of runs that changed something, and an outlier does not flatten the chart", () => {
  const { points, median, limit } = runPoints(
    runRows([8_000, 200, 9_000, -30, 10_000, 14_400_000]),
    "duration",
  );
  assert.deepEqual(points.map(({ kind }) => kind), [
    "changed",
    "unchanged",
    "changed",
    "failed",
    "changed",
    "changed",
  ]);
  assert.equal(median, 9_500);
  assert.equal(limit, 15_000);
  assert.equal(runPoints(runRows([200, 300]), "duration").median, 250);
  assert.equal(runPoints(runRows([-200]), "duration").median, null);
  assert.equal(runPoints([], "bytes").points.length, 0);
});

Deno.test("steps are drawn to scale, unless one took nearly all the time", () => {
  const steps = [[0, 100], [100, 300], [50, 100]].map(([startMs = 0, durationMs = 0]) => ({
    name: "x",
    startMs,
    durationMs,
  }));
  const even = stepScale(steps);
  assert.equal(even.isCompressed, false);
  assert.equal(even.part(200), 0.5);
  const long = stepScale([...steps, { name: "canary", startMs: 400, durationMs: 14_400_000 }]);
  assert.equal(long.isCompressed, true);
  const places = [0, 50, 100, 150, 400, 14_400_400].map(long.part);
  assert.deepEqual(places, places.toSorted((one, other) => one - other));
  assert.equal(places.at(-1), 1);
  assert.ok((places[4] ?? 0) > 0.1, `short steps take ${places[4]}`);
  assert.equal(stepScale([{ name: "x", startMs: 0, durationMs: 0 }]).part(0), 0);
});

Deno.test("a metric's limits are on its worse side, and a baseline of zero is compared by difference", () => {
  const course = {
    name: "m",
    samples: [],
    direction: "higher",
    baseline: 0.5,
    maxDegradation: 0.1,
    catastrophic: 0.2,
  };
  const [baseline, limit, catastrophic] = metricLimits(course);
  assert.equal(baseline?.value, 0.5);
  assert.equal(limit?.value, 0.45);
  assert.equal(limit?.isBeyond(0.44), true);
  assert.equal(limit?.isBeyond(0.6), false);
  assert.equal(catastrophic?.value, 0.2);
  const values = (rest: object) => metricLimits({ ...course, ...rest }).map(({ value }) => value);
  assert.deepEqual(values({ direction: "lower", baseline: -2, catastrophic: null }), [-2, -1.8]);
  assert.deepEqual(values({ direction: "lower", baseline: 0, catastrophic: null }), [0, 0.1]);
  assert.deepEqual(values({ direction: null }), [0.5]);
  assert.deepEqual(values({ baseline: null, catastrophic: null }), []);
});

Deno.test("an axis of a metric accepts any numbers, and its labels are short", () => {
  for (const values of [[], [0], [5, 5], [1e308, -1e308], [1e-12, 2e-12]]) {
    const axis = metricAxis(values);
    for (const value of values) {
      const part = axis.part(value);
      assert.ok(part > 0 && part < 1, `${value} stands at ${part}`);
    }
  }
  assert.equal(metricLabel(0.55), "0.55");
  assert.equal(metricLabel(123_456_789), "1.2e8");
  assert.equal(metricLabel(0.00000123), "1.2e-6");
});
