import assert from "node:assert/strict";
import { join } from "node:path";
import { acquireLock } from "../../lib/core/lock.ts";
import { VERSION } from "../../lib/core/version.ts";
import { metricsRenderer } from "../../lib/metrics/render_metrics.ts";
import { announceDaemon } from "../../lib/store/daemons.ts";
import { pauseRoles } from "../../lib/store/pauses.ts";
import { addQuarantine } from "../../lib/store/quarantine.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { MetricsWorld, pullsIn, SETTINGS } from "./metrics_world.ts";
import { parseMetrics, valueOf } from "../helpers/parse_metrics.ts";
import { HAS_PROMTOOL, promtoolSays, WITHOUT_PROMTOOL } from "../helpers/promtool.ts";
import { readOnlyFs } from "../helpers/fake_fs.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { testContext } from "../helpers/test_context.ts";

const readSettings = () => Promise.resolve(SETTINGS);

function render(world: MetricsWorld, context = testContext()): Promise<string> {
  return metricsRenderer(context, world.storeOf(context), readSettings)();
}

Deno.test("every rendering shows the status and the runs of its moment", async () => {
  using world = new MetricsWorld();
  const before = parseMetrics(await render(world));
  assert.equal(valueOf(before, "model_sync_quarantined_releases"), 0);
  assert.equal(before.has("model_sync_runs_total"), false);
  world.record(2);
  addQuarantine(world.store, {
    digest: `sha256:${"0f".repeat(32)}`,
    sequence: 1,
    reason: "refused",
    at: "2026-11-29T06:00:00Z",
  });
  const text = await render(world);
  assert.equal(pullsIn(text), 2);
  assert.equal(valueOf(parseMetrics(text), "model_sync_quarantined_releases"), 1);
  world.record(1);
  assert.equal(pullsIn(await render(world)), 3);
});

Deno.test("the metrics show due times and pauses of running daemons only", async () => {
  using world = new MetricsWorld();
  const has = (text: string, role: string) =>
    ["model_sync_next_run_timestamp_seconds", "model_sync_role_paused"].map((name) =>
      valueOf(parseMetrics(text), name, { role }) !== undefined
    );
  assert.deepEqual(has(await render(world), "client"), [false, false]);
  {
    // Its options name a repository that the configuration does not.
    using _daemon = await announceDaemon(testContext(), world.store, ["huggingface_client"]);
    const text = await render(world);
    assert.deepEqual(has(text, "huggingface_client"), [true, true]);
    assert.deepEqual(has(text, "client"), [false, false]);
  }
  assert.deepEqual(has(await render(world), "huggingface_client"), [false, false]);
});

Deno.test("the metrics name the roles that are due and paused, and the free bytes of the store's disk", async () => {
  using world = new MetricsWorld();
  const context = testContext({ freeBytes: () => Promise.resolve(1234) });
  pauseRoles(world.store, ["publisher"], { since: new Date().toISOString(), until: null, host: "bot" });
  using _daemon = await announceDaemon(context, world.store, ["client", "publisher"]);
  const families = parseMetrics(await render(world, context));
  assert.equal(valueOf(families, "model_sync_store_free_bytes"), 1234);
  assert.ok(
    (valueOf(families, "model_sync_next_run_timestamp_seconds", { role: "client" }) ?? 0) > Date.now() / 1000,
  );
  assert.equal(valueOf(families, "model_sync_role_paused", { role: "client" }), 0);
  assert.equal(valueOf(families, "model_sync_role_paused", { role: "publisher" }), 1);
});

Deno.test("the endpoint and the file count the same runs, each once", async () => {
  using world = new MetricsWorld();
  for (let round = 1; round <= 3; round++) {
    world.record(1);
    assert.equal(pullsIn(await render(world)), 2 * round - 1);
    world.record(1);
    await world.deliver();
    assert.equal(pullsIn(await render(world)), 2 * round);
    assert.equal(world.pulls(), 2 * round);
  }
});

Deno.test("simultaneous requests share one reading, and the next request sees newer runs", async () => {
  using world = new MetricsWorld();
  world.record(1);
  let readings = 0;
  const renderer = metricsRenderer(testContext(), world.store, () => {
    readings++;
    return readSettings();
  });
  const texts = await Promise.all(Array.from({ length: 50 }, () => renderer()));
  assert.deepEqual([new Set(texts).size, readings], [1, 1]);
  world.record(1);
  assert.equal(pullsIn(await renderer()), 2);
});

Deno.test("while the configuration cannot be read, the metrics show the runs", async () => {
  using world = new MetricsWorld();
  world.record(1);
  const context = testContext();
  const text = await metricsRenderer(context, world.store, () => Promise.reject(new Error("no YAML")))();
  assert.equal(pullsIn(text), 1);
  assert.equal(parseMetrics(text).has("model_sync_next_run_timestamp_seconds"), false);
  assert.deepEqual(context.log.lines, ["warn cannot read the status for metrics: no YAML"]);
});

Deno.test("metrics are rendered while another process counts, and in a store that cannot be written", async () => {
  using world = new MetricsWorld();
  world.record(1);
  await world.deliver();
  world.record(1);
  const context = testContext({ clock: new QuickClock("2026-11-29T06:00:00Z") });
  {
    const owner = { command: "metrics", runId: "other", host: "bot" };
    using _lock = await acquireLock(Deno, join(world.store.root, "metrics.lock"), owner, context.clock);
    assert.equal(pullsIn(await render(world, context)), 2);
  }
  assert.equal(pullsIn(await render(world, testContext({ fs: readOnlyFs(Deno) }))), 2);
  assert.equal(world.pulls(), 1);
});

Deno.test("the version in the metrics is the program's", async () => {
  using world = new MetricsWorld();
  const { version }: { version: string } = JSON.parse(Deno.readTextFileSync(join(PROJECT, "deno.json")));
  assert.equal(VERSION, version);
  const labels = { version, deno_version: Deno.version.deno };
  assert.equal(valueOf(parseMetrics(await render(world)), "model_sync_build_info", labels), 1);
});

Deno.test({
  name: `promtool has nothing to say of what the endpoint serves${WITHOUT_PROMTOOL}`,
  ignore: !HAS_PROMTOOL,
  async fn() {
    using world = new MetricsWorld();
    assert.equal(await promtoolSays(await render(world)), "");
    world.record(2, { carrier: "github-actions", writtenBytes: 5 });
    assert.equal(await promtoolSays(await render(world)), "");
  },
});
