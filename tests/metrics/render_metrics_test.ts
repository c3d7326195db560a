import assert from "node:assert/strict";
import { join } from "node:path";
import { acquireLock } from "../../lib/core/lock.ts";
import { metricsRenderer } from "../../lib/metrics/render_metrics.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { IDLE_STATUS, MetricsWorld, pullsIn } from "../helpers/metrics_world.ts";
import { parseMetrics, valueOf } from "../helpers/parse_metrics.ts";
import { HAS_PROMTOOL, promtoolSays, WITHOUT_PROMTOOL } from "../helpers/promtool.ts";
import { readOnlyFs } from "../helpers/read_only_fs.ts";
import { testContext } from "../helpers/test_context.ts";

Deno.test("every request gets the status and the runs of its moment", async () => {
  using world = new MetricsWorld();
  const render = metricsRenderer(testContext(), world.parts());
  assert.equal(pullsIn(await render()), undefined);
  world.record(2);
  world.status = { ...IDLE_STATUS, quarantine: [{}] };
  const text = await render();
  assert.equal(pullsIn(text), 2);
  assert.equal(valueOf(parseMetrics(text), "model_sync_quarantined_releases"), 1);
  world.record(1);
  assert.equal(pullsIn(await render()), 3);
});

Deno.test("the endpoint and the file count the same runs, each once", async () => {
  using world = new MetricsWorld();
  const render = metricsRenderer(testContext(), world.parts());
  for (let round = 1; round <= 3; round++) {
    world.record(1);
    assert.equal(pullsIn(await render()), 2 * round - 1);
    world.record(1);
    await world.deliver();
    assert.equal(await render(), world.text());
    assert.equal(world.pulls(), 2 * round);
  }
});

Deno.test("requests that come at once cost one reading of the status", async () => {
  using world = new MetricsWorld();
  world.record(1);
  let readings = 0;
  const readStatus = () => {
    readings++;
    return Promise.resolve(IDLE_STATUS);
  };
  const render = metricsRenderer(testContext(), { ...world.parts(), readStatus });
  const texts = await Promise.all(Array.from({ length: 50 }, () => render()));
  assert.equal(new Set(texts).size, 1);
  assert.equal(readings, 1);
  await render();
  assert.equal(readings, 2);
});

Deno.test("a request that fails does not fail the next one", async () => {
  using world = new MetricsWorld();
  let isBroken = true;
  const parts = world.parts();
  const broken = testContext({
    fs: {
      ...Deno,
      statSync: (path) => {
        if (isBroken) throw new Error("broken");
        return Deno.statSync(path);
      },
    },
  });
  const render = metricsRenderer(testContext(), { ...parts, store: { ...parts.store, fs: broken.fs } });
  world.record(1);
  await assert.rejects(render(), /broken/);
  isBroken = false;
  assert.equal(pullsIn(await render()), 1);
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
    assert.equal(pullsIn(await metricsRenderer(context, world.parts())()), 2);
  }
  const readOnly = testContext({ fs: readOnlyFs(Deno) });
  assert.equal(pullsIn(await metricsRenderer(readOnly, world.parts(readOnly))()), 2);
  assert.equal(world.pulls(), 1);
});

Deno.test({
  name: `promtool has nothing to say of what the endpoint serves${WITHOUT_PROMTOOL}`,
  ignore: !HAS_PROMTOOL,
  async fn() {
    using world = new MetricsWorld();
    const render = metricsRenderer(testContext(), world.parts());
    assert.equal(await promtoolSays(await render()), "");
    world.record(2, { carrier: "github-actions", writtenBytes: 5 });
    assert.equal(await promtoolSays(await render()), "");
  },
});
