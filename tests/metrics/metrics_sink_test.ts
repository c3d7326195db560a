import assert from "node:assert/strict";
import { join } from "node:path";
import { InterruptedError } from "../../lib/core/errors.ts";
import { MetricsSink } from "../../lib/metrics/metrics_sink.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { damage, DAMAGES } from "../helpers/damage.ts";
import { MetricsWorld, pull, SETTINGS } from "./metrics_world.ts";
import { MortalProcess } from "../helpers/mortal_process.ts";
import { parseMetrics, valueOf } from "../helpers/parse_metrics.ts";
import { HAS_PROMTOOL, promtoolSays, WITHOUT_PROMTOOL } from "../helpers/promtool.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { mountObstacle, tmpfsAt } from "../helpers/small_disk.ts";
import { testContext } from "../helpers/test_context.ts";

const isWindows = Deno.build.os === "windows";

Deno.test("a run is counted once, however often the metrics are delivered", async () => {
  using world = new MetricsWorld();
  world.record(3);
  await world.deliver();
  await world.deliver();
  assert.equal(world.pulls(), 3);
  world.record(2, { outcome: "failed", error: { code: "X", message: "x" } });
  await world.deliver();
  await world.deliver();
  assert.deepEqual([world.pulls(), world.pulls("failed")], [3, 2]);
});

Deno.test("the runs of a process that was killed before it delivered are counted by the next one", async () => {
  using world = new MetricsWorld();
  await world.deliver();
  world.record(1);
  world.record(1, { outcome: "interrupted", durationMs: 0, error: { code: "KILLED", message: "killed" } });
  world.record(1);
  await world.deliver();
  assert.deepEqual([world.pulls(), world.pulls("interrupted")], [2, 1]);
  assert.equal(valueOf(parseMetrics(world.text()), "model_sync_run_duration_seconds_count"), 2);
});

Deno.test("two processes that end runs at once count each run once, and the file holds all of them", async () => {
  using world = new MetricsWorld();
  const script = join(PROJECT, "tests/metrics/deliver_runs.ts");
  const args = ["run", "-q", "-A", "--no-check", "--config", join(PROJECT, "deno.json"), script];
  const processes = [1, 2].map(() =>
    new Deno.Command(Deno.execPath(), { args: [...args, world.root, world.file, "15"], stdin: "null" })
      .output()
  );
  for (const { code, stderr } of await Promise.all(processes)) {
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  }
  assert.equal(world.pulls(), 30);
  await world.deliver();
  assert.equal(world.pulls(), 30);
});

Deno.test("counts continue after the history was rotated, and keep runs that it no longer holds", async () => {
  using world = new MetricsWorld();
  const { history } = world.store;
  world.record(2);
  await world.deliver();
  world.record(1);
  Deno.renameSync(history, history.replace(/\.jsonl$/, ".1.jsonl"));
  world.record(1);
  await world.deliver();
  assert.equal(world.pulls(), 4);
  Deno.removeSync(history.replace(/\.jsonl$/, ".1.jsonl"));
  world.record(1);
  await world.deliver();
  assert.equal(world.pulls(), 5);
});

for (const kind of Object.keys(DAMAGES).filter((kind) => !isWindows || !/pipe|link/.test(kind))) {
  Deno.test(`a state that is ${kind} is counted anew from the runs on record, and no delivery fails`, async () => {
    using world = new MetricsWorld();
    world.record(3);
    await world.deliver();
    damage(join(world.store.root, "metrics.json"), kind);
    world.record(1);
    await world.deliver();
    assert.equal(world.pulls(), 4);
  });
}

Deno.test("a state whose cursor names no line, and a history that was lost, restart the counters", async () => {
  using world = new MetricsWorld();
  const state = join(world.store.root, "metrics.json");
  world.record(3);
  await world.deliver();
  Deno.writeTextFileSync(state, Deno.readTextFileSync(state).replace(/"end":\d+/, '"end":1'));
  world.record(1);
  await world.deliver();
  assert.equal(world.pulls(), 4);
  Deno.removeSync(world.store.history);
  await world.deliver();
  assert.equal(world.pulls(), undefined);
  world.record(1);
  await world.deliver();
  assert.equal(world.pulls(), 1);
});

Deno.test("a run that the disk did not take is counted, and does not hide the runs after it", async () => {
  using world = new MetricsWorld();
  world.record(1);
  await world.deliver(testContext(), [
    pull({ outcome: "failed", error: { code: "DISK_FULL", message: "full" } }),
  ]);
  assert.deepEqual([world.pulls(), world.pulls("failed")], [1, 1]);
  world.record(1);
  await world.deliver();
  assert.deepEqual([world.pulls(), world.pulls("failed")], [2, 1]);
});

Deno.test("counters never decrease while the state cannot be written", async () => {
  using world = new MetricsWorld();
  world.record(1);
  const full = testContext({
    fs: countingFs((step) => {
      if (/^open .*metrics\.json/.test(step)) throw new Deno.errors.NotSupported("no space left");
    }),
  });
  const lost = pull({ outcome: "failed", error: { code: "DISK_FULL", message: "full" } });
  await world.deliver(full, [lost]);
  assert.match(
    full.log.lines.join("\n"),
    /^warn cannot remember which runs are in the metrics: .*no space left$/,
  );
  assert.deepEqual([world.pulls(), world.pulls("failed")], [1, 0]);
  world.record(1);
  await world.deliver(full);
  assert.deepEqual([world.pulls(), world.pulls("failed")], [2, 0]);
});

Deno.test("a collector sees the old or the new file at any time, and no other .prom file", async () => {
  using world = new MetricsWorld();
  world.record(1);
  await world.deliver();
  const before = world.text();
  const seen = new Set<string>();
  const fs = countingFs(() => {
    const names = Array.from(Deno.readDirSync(world.collected), ({ name }) => name);
    assert.deepEqual(names.filter((name) => name.endsWith(".prom")), ["model_sync.prom"]);
    seen.add(world.text());
  });
  world.record(1);
  await world.deliver(testContext({ fs }));
  assert.deepEqual([...seen], seen.size === 1 ? [before] : [before, world.text()]);
  assert.notEqual(world.text(), before);
  assert.deepEqual(Array.from(Deno.readDirSync(world.collected), ({ name }) => name), ["model_sync.prom"]);
});

Deno.test("a delivery that is killed at any step leaves a whole file, and the next one counts each run once", async () => {
  const steps = async (diesAt: number) => {
    using world = new MetricsWorld();
    world.record(1);
    await world.deliver();
    world.record(1);
    const process = new MortalProcess(diesAt);
    const died = await process.run((context) => world.deliver(context));
    assert.equal(died, diesAt !== 0);
    assert.ok([1, 2].includes(world.pulls() ?? 0));
    await world.deliver();
    assert.equal(world.pulls(), 2, `killed before step ${diesAt}`);
    return process.steps.length;
  };
  const count = await steps(0);
  assert.ok(count > 5 && count < 50, String(count));
  for (let diesAt = 1; diesAt <= count; diesAt++) await steps(diesAt);
});

Deno.test({
  name: "node_exporter may read the file, whatever the umask",
  ignore: isWindows,
  async fn() {
    using world = new MetricsWorld();
    world.record(1);
    // As under umask 077.
    const openSync: typeof Deno.openSync = (path, options = {}) =>
      Deno.openSync(path, { ...options, mode: (options.mode ?? 0o666) & 0o700 });
    await world.deliver(testContext({ fs: { ...Deno, openSync } }));
    assert.equal((Deno.statSync(world.file).mode ?? 0) & 0o777, 0o644);
  },
});

Deno.test("a missing folder, and another entry at the file's path, are one warning and change nothing", async () => {
  using world = new MetricsWorld();
  world.record(1);
  const taken = join(world.collected, "taken.prom");
  Deno.mkdirSync(taken);
  const expected = {
    [join(world.root, "nowhere/x.prom")]:
      /nowhere\/x\.prom: .*nowhere does not exist; create the folder that node_exporter reads/,
    [join(world.store.root, "store.json/x.prom")]: /store\.json is not a folder; create/,
    [taken]: /taken\.prom: it is a folder, not a file; create/,
    ...(isWindows ? {} : { "/dev/null": /\/dev\/null: it is a device, not a file/ }),
  };
  for (const [file, warning] of Object.entries(expected)) {
    const context = testContext();
    await new MetricsSink(file, SETTINGS, world.store).deliver(context, []);
    assert.equal(context.log.lines.length, 1, context.log.lines.join("\n"));
    assert.match(context.log.lines[0] ?? "", /^warn Cannot write the metrics file /);
    assert.match(context.log.lines[0] ?? "", warning);
  }
  assert.throws(() => Deno.statSync(join(world.root, "nowhere")), Deno.errors.NotFound);
});

Deno.test("an interrupted run is delivered, too, and an unreadable status only removes its own metrics", async () => {
  using world = new MetricsWorld();
  world.record(1);
  const readDirSync = () => {
    throw new Error("no such folder");
  };
  const context = testContext({
    fs: { ...Deno, readDirSync },
    signal: AbortSignal.abort(new InterruptedError("stopped", { code: "INTERRUPTED" })),
  });
  await world.deliver(context);
  assert.equal(world.pulls(), 1);
  assert.equal(parseMetrics(world.text()).has("model_sync_canary_state"), false);
  assert.deepEqual(context.log.lines, ["warn cannot read the status for metrics: no such folder"]);
});

Deno.test("two stores that write one file get a warning", async () => {
  using world = new MetricsWorld();
  using other = new MetricsWorld();
  world.record(1);
  other.record(2);
  const context = testContext();
  await world.deliver();
  await new MetricsSink(world.file, SETTINGS, other.store).deliver(context, []);
  assert.match(
    context.log.lines.join("\n"),
    /^warn the metrics file .*model_sync\.prom held the metrics of another store, .*\.model-sync: set report\.metrics_file/,
  );
  assert.equal(world.pulls(), 2);
});

const noTmpfs = mountObstacle("tmpfs");

Deno.test({
  name: "on a full disk the old file stays as it was, and the next run with room writes the new one" +
    (noTmpfs === undefined ? "" : ` (skipped: ${noTmpfs})`),
  ignore: noTmpfs !== undefined,
  async fn() {
    using world = new MetricsWorld();
    const disk = tmpfsAt(join(world.root, "small"), "size=256k");
    try {
      const file = join(disk.path, "x.prom");
      const deliver = async () => {
        const context = testContext();
        await new MetricsSink(file, SETTINGS, world.store).deliver(context, []);
        return context.log.lines.join("\n");
      };
      world.record(1);
      assert.equal(await deliver(), "");
      const before = Deno.readTextFileSync(file);
      const empty = disk.fill();
      world.record(1);
      assert.match(await deliver(), /^warn Cannot write the metrics file .*x\.prom: .*; free/);
      assert.equal(Deno.readTextFileSync(file), before);
      empty();
      assert.equal(await deliver(), "");
      assert.equal(
        valueOf(parseMetrics(Deno.readTextFileSync(file)), "model_sync_runs_total", {
          command: "pull",
          outcome: "unchanged",
        }),
        2,
      );
    } finally {
      disk[Symbol.dispose]();
    }
  },
});

Deno.test({
  name: `promtool has nothing to say of the file${WITHOUT_PROMTOOL}`,
  ignore: !HAS_PROMTOOL,
  async fn() {
    using world = new MetricsWorld();
    world.record(2, { carrier: "git", writtenBytes: 5 });
    world.record(1, { command: "publish", outcome: "failed", error: { code: "X", message: "x" } });
    await world.deliver();
    assert.equal(await promtoolSays(world.text()), "");
  },
});
