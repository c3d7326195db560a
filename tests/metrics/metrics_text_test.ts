import assert from "node:assert/strict";
import fc from "fast-check";
import { type MetricsSource, metricsText } from "../../lib/metrics/metrics_text.ts";
import { DURATION_BOUNDS_SEC, NO_RUNS } from "../../lib/metrics/run_totals.ts";
import type { ShownStatus } from "../../lib/metrics/status_families.ts";
import { type Labels, textFormat } from "../../lib/metrics/text_format.ts";
import { OUTCOMES } from "../../lib/store/history.ts";
import { CANARY, CURRENT, DIGEST, SCHEDULE, SOURCE, STATUS } from "./metrics_source.ts";
import { familyIn, parseMetrics, valueOf } from "../helpers/parse_metrics.ts";
import { HAS_PROMTOOL, promtoolSays, WITHOUT_PROMTOOL } from "../helpers/promtool.ts";

/** Status and runs of every kind: first use, everything known, nothing readable. */
const SOURCES: readonly MetricsSource[] = [
  SOURCE,
  { ...SOURCE, totals: NO_RUNS, status: undefined },
  {
    ...SOURCE,
    status: {
      ...STATUS,
      current: null,
      activatedAt: null,
      next: {},
      schedules: {},
      canary: null,
      canaryFault: "damaged",
      quarantineFault: "damaged",
      freeBytes: null,
    },
  },
];

Deno.test({
  name: `promtool check metrics has nothing to say of any metrics, lint included${WITHOUT_PROMTOOL}`,
  ignore: !HAS_PROMTOOL,
  async fn() {
    for (const source of SOURCES) assert.equal(await promtoolSays(metricsText(source)), "");
    // A tool that never reports an error would prove nothing.
    assert.notEqual(await promtoolSays("# TYPE seen gauge\nseen 1 2 3\n"), "");
    assert.notEqual(await promtoolSays("# TYPE seen counter\nseen 1\n"), "");
  },
});

Deno.test("the metrics show the status and the runs, in seconds and bytes", () => {
  const families = parseMetrics(metricsText(SOURCE));
  const expected: [string, Labels, number | undefined][] = [
    ["model_sync_build_info", { version: "1.2.3", deno_version: "2.9.6" }, 1],
    ["model_sync_active_release_info", { release: DIGEST }, 1],
    ["model_sync_active_release_sequence", {}, 42],
    ["model_sync_active_release_created_timestamp_seconds", {}, Date.UTC(2026, 10, 28, 0, 0, 7) / 1000],
    ["model_sync_active_release_activated_timestamp_seconds", {}, Date.UTC(2026, 10, 28, 6, 0, 1) / 1000],
    ["model_sync_next_run_timestamp_seconds", { role: "client" }, Date.UTC(2026, 10, 30, 6) / 1000],
    ["model_sync_next_run_timestamp_seconds", { role: "publisher" }, undefined],
    ["model_sync_role_paused", { role: "client" }, 1],
    ["model_sync_role_paused", { role: "publisher" }, 0],
    ["model_sync_canary_state", { state: "watching" }, 1],
    ["model_sync_canary_state", { state: "none" }, 0],
    ["model_sync_quarantined_releases", {}, 3],
    ["model_sync_active_release_withdrawn", {}, 1],
    ["model_sync_withdrawn_releases", {}, 2],
    ["model_sync_store_free_bytes", {}, 12_345_678_901],
    ["model_sync_runs_total", { command: "pull", outcome: "activated" }, 1],
    ["model_sync_runs_total", { command: "pull", outcome: "failed" }, 0],
    ["model_sync_runs_total", { command: "publish", outcome: "failed" }, 1],
    ["model_sync_last_run_timestamp_seconds", { command: "pull" }, Date.UTC(2026, 10, 29, 6) / 1000 + 0.2],
    [
      "model_sync_last_success_timestamp_seconds",
      { command: "pull" },
      Date.UTC(2026, 10, 29, 6) / 1000 + 0.2,
    ],
    ["model_sync_last_success_timestamp_seconds", { command: "publish" }, undefined],
    ["model_sync_last_outcome", { command: "pull", outcome: "unchanged" }, 1],
    ["model_sync_last_outcome", { command: "pull", outcome: "activated" }, 0],
    ["model_sync_transferred_bytes_total", { carrier: "git" }, 2_000],
    ["model_sync_transferred_bytes_total", { carrier: "huggingface" }, 0],
  ];
  for (const [name, labels, value] of expected) {
    assert.equal(valueOf(families, name, labels), value, `${name} ${JSON.stringify(labels)}`);
  }
});

Deno.test("the metric of a withdrawn active release is 0 after a rollback or by force, and absent if nothing is known", () => {
  const active = (changed: Partial<ShownStatus>) =>
    valueOf(
      parseMetrics(metricsText({ ...SOURCE, status: { ...STATUS, ...changed } })),
      "model_sync_active_release_withdrawn",
      {},
    );
  const [other, own] = STATUS.withdrawn ?? [];
  assert.ok(other !== undefined && own !== undefined);
  assert.equal(active({ withdrawn: [other] }), 0);
  assert.equal(active({ withdrawn: [{ ...own, isOverridden: true }] }), 0);
  assert.equal(active({ current: null }), undefined);
  assert.equal(active({ quarantineFault: "damaged", withdrawn: [] }), undefined);
});

Deno.test("histograms are cumulative, end with +Inf, and their count and sum are those of the runs", () => {
  const families = parseMetrics(metricsText(SOURCE));
  const { type, samples } = familyIn(families, "model_sync_run_duration_seconds");
  assert.equal(type, "histogram");
  const buckets = (command: string) =>
    samples.filter(({ name, labels }) => name.endsWith("_bucket") && labels["command"] === command);
  assert.deepEqual(
    buckets("pull").map(({ labels }) => labels["le"]),
    [...DURATION_BOUNDS_SEC.map(String), "+Inf"],
  );
  assert.deepEqual(buckets("pull").map(({ value }) => value), [0, 1, 1, 1, 2, ...Array(11).fill(2)]);
  // Longer than the last bound.
  assert.deepEqual(buckets("publish").map(({ value }) => value), [...Array(15).fill(0), 1]);
  for (const [command, count, sum] of [["pull", 2, 1.7], ["publish", 1, 100_000]] as const) {
    assert.equal(valueOf(families, "model_sync_run_duration_seconds_count", { command }), count);
    assert.equal(valueOf(families, "model_sync_run_duration_seconds_sum", { command }), sum);
  }
});

Deno.test("exactly one state of each set is 1", () => {
  for (const source of SOURCES) {
    const families = parseMetrics(metricsText(source));
    const sum = (name: string, label: string, value: string) =>
      families.get(name)?.samples.filter(({ labels }) => labels[label] === value)
        .reduce((all, sample) => all + sample.value, 0);
    if (source.status !== undefined) {
      assert.equal(sum("model_sync_canary_state", "store", source.store), 1);
    }
    for (const { command } of source.totals.commands) {
      assert.equal(sum("model_sync_last_outcome", "command", command), 1);
      const samples = familyIn(families, "model_sync_last_outcome").samples;
      assert.equal(samples.filter(({ labels }) => labels["command"] === command).length, OUTCOMES.length);
    }
  }
  const states = (status: Partial<ShownStatus>) => {
    const families = parseMetrics(metricsText({ ...SOURCE, status: { ...STATUS, ...status } }));
    return familyIn(families, "model_sync_canary_state").samples.find(({ value }) => value === 1)
      ?.labels["state"];
  };
  assert.deepEqual(
    [
      states({ canary: null }),
      states({ canary: { ...CANARY, status: "paused" } }),
      states({ canary: { ...CANARY, status: "passed" } }),
      states({ canaryFault: "damaged" }),
    ],
    ["none", "paused", "none", "unreadable"],
  );
});

Deno.test("two stores on one machine share a collector's folder: no series of one is a series of the other", () => {
  const texts = ["/srv/a/.model-sync", "/srv/b/.model-sync"].map((store) =>
    metricsText({ ...SOURCE, store })
  );
  const series = texts.flatMap((text) =>
    [...parseMetrics(text).values()].flatMap(({ samples }) =>
      samples.map(({ name, labels }) => JSON.stringify([name, Object.entries(labels).sort()]))
    )
  );
  assert.equal(new Set(series).size, series.length);
  // node_exporter refuses families whose help differs between files.
  const help = texts.map((text) => text.split("\n").filter((line) => line.startsWith("#")));
  assert.deepEqual(help[0], help[1]);
});

/** Texts that try to break out of a label. */
const HOSTILE = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.string({
    unit: fc.constantFrom(
      '"',
      "\\",
      "\n",
      "n",
      "{",
      "}",
      ",",
      "=",
      "#",
      "\r",
      "\t",
      "\u2028",
      "\0",
      "é",
      "😀",
    ),
  }),
);

Deno.test("a label's value is read back unchanged, whatever it holds", () => {
  fc.assert(fc.property(HOSTILE, HOSTILE, (store, help) => {
    const text = textFormat([{ name: "model_sync_x", type: "gauge", help, samples: [{ value: 1 }] }], {
      store,
    });
    const family = familyIn(parseMetrics(text), "model_sync_x");
    assert.deepEqual([family.help, family.samples[0]?.labels], [help, { store }]);
  }));
});

Deno.test({
  name: `promtool takes hostile paths, releases, versions and roles${WITHOUT_PROMTOOL}`,
  ignore: !HAS_PROMTOOL,
  async fn() {
    for (const [hostile] of fc.sample(fc.tuple(HOSTILE), 10).concat([['a"b\\c\nd\\n'], ["\ud800 half"]])) {
      const text = metricsText({
        ...SOURCE,
        store: hostile,
        build: { version: hostile, deno: hostile },
        status: {
          ...STATUS,
          current: { ...CURRENT, digest: `sha256:${hostile}`, createdAt: hostile },
          next: { [hostile]: "2026-11-30T06:00:00Z" },
          schedules: { [hostile]: SCHEDULE },
        },
      });
      assert.equal(await promtoolSays(text), "");
      const { samples } = familyIn(parseMetrics(text), "model_sync_build_info");
      assert.equal(samples[0]?.labels["store"], hostile.toWellFormed());
    }
  },
});

Deno.test("numbers are written as Prometheus reads them", () => {
  const values = [0, -0, 1e21, 1e-7, 0.1, Infinity, -Infinity, NaN, Number.MAX_SAFE_INTEGER];
  const text = textFormat([{
    name: "model_sync_x",
    type: "gauge",
    help: "x",
    samples: values.map((value, index) => ({ labels: { index: String(index) }, value })),
  }], {});
  assert.deepEqual(
    familyIn(parseMetrics(text), "model_sync_x").samples.map(({ value }) => value),
    values.map((value) => value + 0),
  );
});
