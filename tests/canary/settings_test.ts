import assert from "node:assert/strict";
import { Canary } from "../../lib/config/sections/canary.ts";

const FILE = { name: "win_rate", type: "file", path: "stats.json", direction: "higher" } as const;

function complaint(section: unknown): string {
  const result = Canary.safeParse(section);
  assert.ok(!result.success, JSON.stringify(section));
  return result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("\n");
}

Deno.test("a canary is off without metrics, lasts 30 minutes with them, and may last fractions or none", () => {
  assert.equal(Canary.parse({}).duration_minutes, 0);
  assert.equal(Canary.parse({ metrics: [FILE] }).duration_minutes, 30);
  assert.equal(Canary.parse({ duration_minutes: 0.05, metrics: [FILE] }).duration_minutes, 0.05);
  assert.equal(Canary.parse({ duration_minutes: 0, metrics: [FILE] }).duration_minutes, 0);
  assert.equal(Canary.parse({ duration_minutes: 0 }).duration_minutes, 0);
});

Deno.test("the defaults of a canary are a sample a minute, 15 %, two tolerated, pause and rollback", () => {
  assert.deepEqual(Canary.parse({ metrics: [FILE] }), {
    duration_minutes: 30,
    interval_seconds: 60,
    failure_limit: 2,
    no_data: "pause",
    nan: "rollback",
    metrics: [{ ...FILE, max_degradation: 0.15 }],
  });
});

Deno.test("every type of metric has its own keys, and refuses others", () => {
  const common = { name: "a", direction: "lower", max_degradation: 0.3, catastrophic: -2 };
  const url = "http://127.0.0.1:9090/prometheus";
  const metrics = [
    { ...common, name: "a", type: "http", url, path: "$.stats[0].win_rate", token_env: "STATS_TOKEN" },
    { ...common, name: "b", type: "http", url },
    { ...common, name: "c", type: "prometheus", url, query: "sum(up)" },
    { ...common, name: "d", type: "file", path: "~/stats.json", query: 'models["BTC/USDC"].sharpe' },
    { ...common, name: "e", type: "command", command: ["python3", "stats.py"], path: "sharpe" },
  ];
  assert.equal(Canary.parse({ metrics }).metrics.length, 5);
  for (
    const [metric, expected] of [
      [{ ...FILE, url }, /metrics\.0: Unrecognized key: "url"/],
      [{ ...common, type: "http", path: "a" }, /metrics\.0\.url/],
      [{ ...common, type: "http", url: "file:///etc/passwd" }, /metrics\.0\.url: must be an http address/],
      [{ ...common, type: "http", url, path: "a..b" }, /metrics\.0\.path: is not a place in JSON/],
      [{ ...common, type: "prometheus", url }, /metrics\.0\.query/],
      [{ ...common, type: "command", command: [] }, /metrics\.0\.command/],
      [{ ...common, type: "graphite" }, /metrics\.0\.type: Invalid discriminator value/],
      [{ ...FILE, direction: "up" }, /metrics\.0\.direction/],
      [{ ...FILE, max_degradation: -1 }, /metrics\.0\.max_degradation/],
      [{ ...FILE, name: "win rate\n" }, /metrics\.0\.name: must be a name/],
    ] as const
  ) {
    assert.match(complaint({ metrics: [metric] }), expected);
  }
});

Deno.test("metrics with the same name, a canary without metrics, and more than twenty metrics are refused", () => {
  assert.match(complaint({ metrics: [FILE, FILE] }), /metrics: two metrics have the same name/);
  const many = Array.from({ length: 21 }, (_, index) => ({ ...FILE, name: `m${index}` }));
  assert.match(complaint({ metrics: many }), /metrics: Too big/);
});
