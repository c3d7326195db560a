import assert from "node:assert/strict";
import {
  type CanaryState,
  clearCanary,
  type MetricState,
  readCanary,
  updateCanary,
} from "../../lib/canary/canary_state.ts";
import type { RoundVerdict } from "../../lib/canary/judge.ts";
import { abortCanary, concludeCanary, promoteCanary } from "../../lib/canary/settle_canary.ts";
import { type CanaryRelease, startCanary } from "../../lib/canary/start_canary.ts";
import { alignMetrics, takeBaseline } from "../../lib/canary/take_baseline.ts";
import { type CanaryVerdict, watchCanary } from "../../lib/canary/watch_canary.ts";
import { Canary, type CanarySettings } from "../../lib/config/sections/canary.ts";
import { systemClock } from "../../lib/core/clock.ts";
import type { Context } from "../../lib/core/context.ts";
import { InterruptedError } from "../../lib/core/errors.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { type RecordedLog, testContext } from "../helpers/test_context.ts";
import { PROJECT } from "../helpers/run_cli.ts";

const RELEASE: CanaryRelease = {
  digest: `sha256:${"a1".repeat(32)}`,
  previous: `sha256:${"b2".repeat(32)}`,
  sequence: 7,
  runId: "run-7",
};

const COUNTER = `${PROJECT}tests/canary/count_rounds.ts`;

/** Intervals are over at once; the time limit of a sample is not. */
const INTERVAL_SECONDS = 10;

interface Bot extends Disposable {
  readonly dir: string;
  readonly statePath: string;
  readonly settings: CanarySettings;
  readonly context: Context & { readonly log: RecordedLog };
  /** What the bot measures from now on; text for what is no number. */
  write(winRate: number | string): void;
  state(): CanaryState;
  start(): Promise<CanaryState>;
  /** Watches the canary; calls `onRound` with the number of rounds and the last verdict. */
  watch(
    onRound?: (rounds: number, verdict: RoundVerdict) => void,
    replaced?: Partial<Context>,
    settings?: CanarySettings,
  ): Promise<CanaryVerdict>;
}

/** A bot that writes its win rate into a file, with a canary of ten rounds. */
function newBot(keys: Record<string, unknown> = {}): Bot {
  const dir = tempDir();
  const file = `${dir.path}/win_rate`;
  const statePath = `${dir.path}/canary.json`;
  const settings = Canary.parse({
    duration_minutes: 10 * INTERVAL_SECONDS / 60,
    interval_seconds: INTERVAL_SECONDS,
    metrics: [{ name: "win_rate", type: "file", path: file, direction: "higher", catastrophic: 0.1 }],
    ...keys,
  });
  const context = testContext({ clock: new QuickClock("2026-11-21T00:00:00Z", INTERVAL_SECONDS * 1000) });
  const write = (winRate: number | string) => Deno.writeTextFileSync(file, String(winRate));
  write(0.6);
  return {
    dir: dir.path,
    statePath,
    settings,
    context,
    write,
    state() {
      const found = readCanary(Deno, statePath);
      assert.ok(found.kind === "found", JSON.stringify(found));
      return found.state;
    },
    start: async () =>
      startCanary(context, statePath, RELEASE, settings, await takeBaseline(context, settings)),
    watch: (onRound, replaced = {}, now = settings) =>
      watchCanary({ ...context, ...replaced }, {
        statePath,
        settings: now,
        onVerdict: (verdict, { rounds }) => onRound?.(rounds, verdict),
      }),
    [Symbol.dispose]: () => dir[Symbol.dispose](),
  };
}

Deno.test("a release whose metrics stay unchanged passes after its time, and each round is one log line", async () => {
  using bot = newBot();
  await bot.start();
  const verdict = await bot.watch((rounds) => bot.write(0.6 + rounds / 100));
  assert.equal(verdict.kind, "passed");
  const { rounds, watchedMs, concludedAt, metrics } = bot.state();
  assert.deepEqual([rounds, watchedMs, concludedAt, metrics[0]?.failures], [10, 100_000, null, 0]);
  const lines = bot.context.log.lines.filter((line) => line.includes("canary of release"));
  assert.equal(lines.length, 10);
  assert.equal(lines[0], "info canary of release a1a1a1a1a1a1: win_rate 0.6 (0 %); 1 min 30 s left");
  assert.match(lines[9] ?? "", /^info canary of release a1a1a1a1a1a1 passed: no metric is degraded$/);
});

/** The system's clock: sleeps have whole milliseconds, and reading it takes time. */
class CoarseClock extends QuickClock {
  override monotonicMs(): number {
    this.advance(0.07);
    return super.monotonicMs();
  }

  override sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    assert.ok(durationMs >= 0, `a pause of ${durationMs} ms`);
    return super.sleep(Math.trunc(durationMs), signal);
  }
}

Deno.test("the pause between two rounds is never negative, however coarse the clock is", async () => {
  using bot = newBot();
  await bot.start();
  const clock = new CoarseClock("2026-11-21T00:00:00Z", INTERVAL_SECONDS * 1000);
  assert.equal((await bot.watch(undefined, { clock })).kind, "passed");
});

Deno.test("a degraded release fails after the tolerated samples, and its verdict stays until a run acts on it", async () => {
  using bot = newBot();
  await bot.start();
  const kinds: string[] = [];
  const verdict = await bot.watch((rounds, { kind }) => {
    kinds.push(kind);
    if (rounds === 2) bot.write(0.4);
  });
  assert.deepEqual(kinds, ["continue", "continue", "continue", "continue", "degraded"]);
  assert.ok(verdict.kind === "degraded");
  assert.match(
    verdict.state.reason,
    /^win_rate was degraded in 3 samples, 2 are tolerated; win_rate is 0\.4, 33\.3 %/,
  );
  assert.match(
    bot.context.log.lines.at(-1) ?? "",
    /^error canary of release a1a1a1a1a1a1 failed: win_rate was/,
  );
  assert.deepEqual([verdict.state.previous, verdict.state.concludedAt], [RELEASE.previous, null]);
});

Deno.test("a catastrophic sample ends a canary at once", async () => {
  using bot = newBot({ failure_limit: 100 });
  await bot.start();
  bot.write(0.09);
  const verdict = await bot.watch();
  assert.equal(verdict.kind, "degraded");
  assert.equal(bot.state().rounds, 1);
});

Deno.test("a canary of three seconds detects a degraded release", async () => {
  for (const [winRate, kind] of [[0.1, "degraded"], [0.6, "passed"]] as const) {
    using bot = newBot({ duration_minutes: 0.05, interval_seconds: 60 });
    assert.equal((await bot.start()).intervalMs, 1_000);
    bot.write(winRate);
    assert.equal((await bot.watch()).kind, kind);
    assert.deepEqual([bot.state().rounds, bot.state().watchedMs], [3, 3_000]);
  }
});

Deno.test("a stopped canary stays unchanged, and the next process continues it", async () => {
  using bot = newBot();
  await bot.start();
  bot.write(0.4);
  const stop = new AbortController();
  const watching = bot.watch((rounds) => {
    if (rounds === 2) stop.abort(new InterruptedError("stopped", { code: "INTERRUPTED" }));
  }, { signal: stop.signal });
  await assert.rejects(watching, { code: "INTERRUPTED" });
  assert.deepEqual([bot.state().status, bot.state().rounds, bot.state().watchedMs], ["watching", 2, 20_000]);
  // Another process, on a clock that was set back by ten years.
  const clock = new QuickClock("2016-11-21T00:00:00Z", INTERVAL_SECONDS * 1000);
  const verdict = await bot.watch(undefined, { clock });
  assert.equal(verdict.kind, "degraded");
  assert.equal(bot.state().rounds, 3);
});

Deno.test("a canary that is stopped and started at every round takes no longer to pass", async () => {
  using bot = newBot();
  await bot.start();
  for (let count = 1; count < 10; count++) {
    const stop = new AbortController();
    const clock = new QuickClock(`2026-11-${10 + count}T00:00:00Z`, INTERVAL_SECONDS * 1000);
    const abort = () => stop.abort(new InterruptedError("stopped", { code: "INTERRUPTED" }));
    await assert.rejects(bot.watch(abort, { signal: stop.signal, clock }), { code: "INTERRUPTED" });
  }
  assert.equal(bot.state().watchedMs, 90_000);
  assert.equal((await bot.watch()).kind, "passed");
});

Deno.test("the time that a machine was suspended does not count as watched", async () => {
  using bot = newBot();
  await bot.start();
  const clock = new QuickClock("2026-11-21T00:00:00Z", INTERVAL_SECONDS * 1000);
  const sleepNow = clock.sleep.bind(clock);
  clock.sleep = (durationMs, signal) => {
    clock.advance(8 * 3_600_000);
    return sleepNow(durationMs, signal);
  };
  assert.equal((await bot.watch(undefined, { clock })).kind, "passed");
  assert.deepEqual([bot.state().rounds, bot.state().watchedMs], [5, 100_000]);
});

Deno.test("when a process is killed between the verdict and the rollback, the next one acts on the verdict", async () => {
  using bot = newBot();
  await bot.start();
  bot.write(0.05);
  const killed = bot.watch(() => {
    throw new Error("killed");
  });
  await assert.rejects(killed, /killed/);
  bot.write(0.6);
  const found = await bot.watch(() => assert.fail("there is nothing left to sample"));
  assert.equal(found.kind, "degraded");
  assert.ok(found.kind === "degraded");
  concludeCanary(bot.context, bot.statePath, found.state);
  assert.equal(bot.state().concludedAt, "2026-11-21T00:00:10Z");
  assert.equal(bot.state().status, "degraded");
});

Deno.test("a canary without data pauses, logs it once, and continues when there is data", async () => {
  using bot = newBot();
  await bot.start();
  bot.write("starting");
  const verdict = await bot.watch((rounds, { kind }) => {
    if (rounds < 20) assert.equal(kind, "paused");
    if (rounds === 19) bot.write(0.6);
  });
  assert.equal(verdict.kind, "passed");
  assert.deepEqual([bot.state().rounds, bot.state().watchedMs], [29, 100_000]);
  const warnings = bot.context.log.lines.filter((line) => line.startsWith("warn"));
  assert.deepEqual(warnings, [
    "warn canary of release a1a1a1a1a1a1 is paused, and its time does not count: " +
    'win_rate has no data: it is "starting", not a number',
  ]);
});

Deno.test("an operator promotes or aborts a canary, also a paused one, and its watchers notice", async () => {
  for (const [settle, kind] of [[promoteCanary, "promoted"], [abortCanary, "aborted"]] as const) {
    using bot = newBot();
    await bot.start();
    bot.write("nothing");
    const verdict = await bot.watch((rounds) => {
      if (rounds === 2) settle(bot.context, bot.statePath);
    });
    assert.equal(verdict.kind, kind);
    assert.deepEqual([bot.state().reason, bot.state().rounds], [`${kind} by an operator`, 2]);
    assert.throws(() => settle(bot.context, bot.statePath), {
      code: "NO_CANARY",
      exitCode: 2,
      message: new RegExp(`no release is in canary, the last canary is ${kind}`),
    });
  }
});

Deno.test("an operator's verdict is noticed within seconds, however long the interval is", async () => {
  using bot = newBot({ duration_minutes: 600, interval_seconds: 3_600 });
  await bot.start();
  let looks = 0;
  const clock = new QuickClock("2026-11-21T00:00:00Z", INTERVAL_SECONDS * 1000);
  const sleepNow = clock.sleep.bind(clock);
  clock.sleep = (durationMs, signal) => {
    if (++looks === 3) promoteCanary(bot.context, bot.statePath);
    return sleepNow(durationMs, signal);
  };
  assert.equal((await bot.watch(undefined, { clock })).kind, "promoted");
  assert.deepEqual([looks, bot.state().rounds, clock.now().toISOString()], [
    3,
    0,
    "2026-11-21T00:00:15.000Z",
  ]);
});

Deno.test("an operator's verdict during a round is not lost", async () => {
  using bot = newBot();
  await bot.start();
  const openSync: typeof Deno.openSync = (path, options) => {
    if (String(path).endsWith("win_rate")) promoteCanary(bot.context, bot.statePath);
    return Deno.openSync(path, options);
  };
  assert.equal((await bot.watch(undefined, { fs: { ...Deno, openSync } })).kind, "promoted");
  assert.equal(bot.state().rounds, 0);
});

Deno.test("promoteCanary() and abortCanary() refuse when no release is in canary", () => {
  using bot = newBot();
  assert.throws(() => promoteCanary(bot.context, bot.statePath), { code: "NO_CANARY" });
  writeFiles(bot.dir, { "canary.json": "{" });
  assert.throws(() => abortCanary(bot.context, bot.statePath), { code: "CANARY_STATE_INVALID", exitCode: 1 });
});

Deno.test("a canary that was replaced or removed ends without a verdict", async () => {
  using bot = newBot();
  await bot.start();
  const next = { ...RELEASE, runId: "run-8", digest: `sha256:${"c3".repeat(32)}` } as const;
  const baseline = await alignMetrics([], bot.settings);
  const superseded = await bot.watch((rounds) => {
    if (rounds === 2) startCanary(bot.context, bot.statePath, next, bot.settings, baseline);
  });
  assert.deepEqual(superseded, { kind: "superseded" });
  assert.deepEqual([bot.state().runId, bot.state().rounds], ["run-8", 0]);
  // The end of the old canary is not written into the state of the new one.
  abortCanary(bot.context, bot.statePath);
  concludeCanary(bot.context, bot.statePath, { ...bot.state(), runId: "run-7" });
  assert.equal(bot.state().concludedAt, null);

  await bot.start();
  assert.deepEqual(await bot.watch(() => clearCanary(Deno, bot.statePath)), { kind: "superseded" });
  assert.deepEqual(await bot.watch(), { kind: "superseded" });
  assert.deepEqual(readCanary(Deno, bot.statePath), { kind: "none" });
});

Deno.test("processes that watch one canary count each round once", async () => {
  using bot = newBot({ failure_limit: 3 });
  await bot.start();
  bot.write(0.4);
  const judged: number[] = [];
  const watch = () =>
    bot.watch((rounds) => judged.push(rounds), {
      clock: new QuickClock("2026-11-21T00:00:00Z", INTERVAL_SECONDS * 1000),
    });
  const verdicts = await Promise.all([watch(), watch(), watch()]);
  assert.deepEqual(verdicts.map(({ kind }) => kind), ["degraded", "degraded", "degraded"]);
  assert.deepEqual([judged, bot.state().rounds, bot.state().metrics[0]?.failures], [[1, 2, 3, 4], 4, 4]);
  assert.ok(bot.state().watchedMs <= 40_000, `${bot.state().watchedMs}`);
});

Deno.test("after a round of another process, the next round is due an interval later", async () => {
  using bot = newBot();
  await bot.start();
  const clock = new QuickClock("2026-11-21T00:00:00Z", INTERVAL_SECONDS * 1000);
  const sleepNow = clock.sleep.bind(clock);
  clock.sleep = (durationMs, signal) => {
    clock.sleep = sleepNow;
    updateCanary(Deno, bot.statePath, () => ({ ...bot.state(), rounds: 1 }));
    return sleepNow(durationMs, signal);
  };
  const times: string[] = [];
  await bot.watch(() => times.push(clock.now().toISOString()), { clock });
  // Noticed after five seconds.
  assert.equal(times[0], "2026-11-21T00:00:15.000Z");
});

Deno.test("a state that is damaged during the watch is replaced; one that was damaged before is an error", async () => {
  using bot = newBot();
  await bot.start();
  const verdict = await bot.watch((rounds) => {
    if (rounds === 5) writeFiles(bot.dir, { "canary.json": "\0\0" });
  });
  assert.equal(verdict.kind, "passed");
  assert.equal(bot.state().rounds, 10);
  for (
    const [text, reason] of [
      ["\0", /is not JSON/],
      ["{}", /is not the state of a canary \(schema: /],
      [JSON.stringify({ ...bot.state(), schema: 2 }), /schema/],
      [JSON.stringify({ ...bot.state(), watchedMs: -1 }), /watchedMs/],
      [JSON.stringify({ ...bot.state(), digest: "sha256:../x" }), /digest/],
    ] as const
  ) {
    writeFiles(bot.dir, { "canary.json": text });
    const found = readCanary(Deno, bot.statePath);
    assert.ok(found.kind === "unreadable");
    assert.match(found.reason, reason);
    await assert.rejects(bot.watch(), { code: "CANARY_STATE_INVALID" });
  }
});

Deno.test("a canary without baselines is paused, and only a catastrophic sample or an operator ends it", async () => {
  using bot = newBot();
  startCanary(
    bot.context,
    bot.statePath,
    RELEASE,
    bot.settings,
    await alignMetrics([], bot.settings),
  );
  const verdict = await bot.watch((rounds, { reason }) => {
    assert.match(
      reason,
      rounds < 3 ? /win_rate has no baseline: it was configured after the swap/ : /catastrophic/,
    );
    if (rounds === 2) bot.write(0.01);
  });
  assert.equal(verdict.kind, "degraded");
});

Deno.test("a baseline is retried, and a metric that does not answer has none", async () => {
  using bot = newBot();
  bot.write("starting");
  let pauses = 0;
  const clock = new QuickClock("2026-11-21T00:00:00Z", INTERVAL_SECONDS * 1000);
  const sleepNow = clock.sleep.bind(clock);
  clock.sleep = (durationMs, signal) => {
    if (++pauses === 2) bot.write(0.7);
    return sleepNow(durationMs, signal);
  };
  const [found] = await takeBaseline({ ...bot.context, clock }, bot.settings);
  assert.deepEqual([found?.baseline, pauses], [{ kind: "value", value: 0.7 }, 2]);
  bot.write("NaN");
  const [missing] = await takeBaseline({ ...bot.context, clock }, bot.settings);
  assert.deepEqual([missing?.baseline, pauses], [{ kind: "nan" }, 4]);
  assert.deepEqual(
    bot.context.log.lines.slice(-2),
    [
      "info canary: the baseline of win_rate is 0.7",
      "warn canary: win_rate has no baseline: it is not a number",
    ],
  );
});

Deno.test("a metric that is added during the canary has no baseline, and changed limits apply at once", async () => {
  using bot = newBot({ no_data: "ignore" });
  await bot.start();
  const [metric] = bot.settings.metrics;
  const stop = new AbortController();
  const elsewhere = {
    ...bot.settings,
    metrics: [{ ...metric, path: `${bot.dir}/other` }, { ...metric, name: "new" }],
  };
  writeFiles(bot.dir, { other: "0.2" });
  const metrics: (readonly MetricState[])[] = [];
  const watching = bot.watch(
    () => {
      metrics.push(bot.state().metrics);
      stop.abort(new InterruptedError("stopped", { code: "INTERRUPTED" }));
    },
    { signal: stop.signal },
    Canary.parse(elsewhere),
  );
  await assert.rejects(watching, { code: "INTERRUPTED" });
  assert.deepEqual(
    metrics[0]?.map(({ name, baseline, failures }) => [name, baseline.kind, failures]),
    [["win_rate", "no-data", 0], ["new", "no-data", 0]],
  );
  assert.ok(
    bot.context.log.lines.includes(
      "warn canary: win_rate has no baseline any more: it was configured after the swap",
    ),
  );

  await bot.start();
  const strict = Canary.parse({
    ...bot.settings,
    failure_limit: 0,
    metrics: [{ ...metric, max_degradation: 0 }],
  });
  bot.write(0.59);
  assert.equal((await bot.watch(undefined, {}, strict)).kind, "degraded");
});

Deno.test("the state holds neither addresses nor commands, which may hold secrets", async () => {
  using bot = newBot();
  const settings = Canary.parse({
    metrics: [
      { name: "a", type: "command", command: ["sh", "-c", "exit 1", "s3cret"], direction: "higher" },
      { name: "b", type: "http", url: "http://u:s3cret@127.0.0.1:1/?key=s3cret", direction: "lower" },
    ],
  });
  startCanary(bot.context, bot.statePath, RELEASE, settings, await takeBaseline(bot.context, settings));
  assert.doesNotMatch(Deno.readTextFileSync(bot.statePath), /s3cret/);
  assert.doesNotMatch(bot.context.log.lines.join("\n"), /s3cret/);
});

Deno.test("updateCanary() keeps the old state on a full disk", async () => {
  using bot = newBot();
  await bot.start();
  const openSync: typeof Deno.openSync = (path, options) => {
    if (!String(path).endsWith("canary.json.new")) return Deno.openSync(path, options);
    throw Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
  };
  await assert.rejects(bot.watch(undefined, { fs: { ...Deno, openSync } }), { code: "DISK", exitCode: 7 });
  assert.equal(bot.state().rounds, 0);
  assert.equal((await bot.watch()).kind, "passed");
});

Deno.test("updateCanary() loses no change when processes change one state at once", async () => {
  using bot = newBot();
  await bot.start();
  const count = () =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-prompt", COUNTER, bot.statePath, "50"],
      stdout: "null",
    }).output();
  const ended = await Promise.all([count(), count(), count()]);
  assert.deepEqual(ended.map(({ code }) => code), [0, 0, 0]);
  assert.equal(bot.state().rounds, 150);
});

Deno.test("watchCanary() on the system clock waits its time, and ends at once when its signal is aborted", async () => {
  using bot = newBot({ duration_minutes: 0.005, failure_limit: 1 });
  assert.equal((await bot.start()).intervalMs, 150);
  const startedMs = performance.now();
  assert.equal((await bot.watch(undefined, { clock: systemClock })).kind, "passed");
  assert.ok(performance.now() - startedMs >= 290);
  assert.ok(bot.state().watchedMs >= 300);

  await bot.start();
  const signal = AbortSignal.abort(new InterruptedError("stopped", { code: "INTERRUPTED" }));
  await assert.rejects(bot.watch(undefined, { clock: systemClock, signal }), { code: "INTERRUPTED" });
  assert.equal(bot.state().rounds, 0);
});
