import assert from "node:assert/strict";
import { join } from "node:path";
import type { ActivePeriod } from "../../lib/status/active_periods.ts";
import { appendHistory, historyFiles, type RunRecord } from "../../lib/store/history.ts";
import { openStore } from "../../lib/store/store.ts";
import { configuredPair } from "../helpers/machines.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { digestOf } from "../helpers/report_events.ts";
import { runCli } from "../helpers/run_cli.ts";
import { run, runJson } from "../helpers/seed_world.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

const [A, B, C, D] = ["a", "b", "c", "d"].map((name) => digestOf(name));

const DAY = "2026-11-28T";

function record(at: string, fields: Partial<RunRecord>): RunRecord {
  return {
    runId: at,
    command: "pull",
    outcome: "activated",
    startedAt: `${DAY}${at}:00Z`,
    durationMs: 600_000,
    host: "bot",
    ...fields,
  };
}

const step = (name: string, startMin: number, durationMin: number) => ({
  name,
  startMs: startMin * 60_000,
  durationMs: durationMin * 60_000,
});

Deno.test("history derives periods from activations, rollbacks and gaps, and answers what was active at a time", async () => {
  using dir = tempDir();
  const clock = new QuickClock("2026-11-28T20:00:00Z");
  const history = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli("history", args, { cwd: dir.path, world: { clock } });
    assert.deepEqual([code, stderr], [0, ""]);
    return stdout;
  };
  assert.equal(await history(), "no release was active yet\n");
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const failed = { code: "RELOAD_FAILED", message: "Cannot reload" };
  for (
    const one of [
      record("06:00", { release: A, sequence: 1, steps: [step("activate", 5, 1)] }),
      record("06:10", { release: D, startedAt: "not a time" }),
      record("06:15", { outcome: "unchanged", release: A, sequence: 1 }),
      // Trainings, quarantines and failures before the activation name releases, and change nothing.
      record("06:30", { command: "publish", outcome: "published", release: C }),
      record("06:40", { command: "quarantine", outcome: "quarantined", release: D }),
      record("06:50", { outcome: "failed", release: A, error: { code: "X", message: "x" } }),
      // Activated B, whose consumers could not load it.
      record("08:00", {
        outcome: "rolled-back",
        release: A,
        previous: B,
        sequence: 1,
        steps: [step("activate", 2, 1)],
        error: failed,
      }),
      // The activation of C is not on record.
      record("10:00", { release: D, previous: C, sequence: 4 }),
      record("12:00", { command: "rollback", outcome: "rolled-back", release: C, previous: D, sequence: 3 }),
      // Its consumers could not load B, which stays active.
      record("13:00", { command: "rollback", outcome: "failed", release: B, error: failed }),
    ]
  ) appendHistory(store, one);
  Deno.symlinkSync(`releases/${B?.slice("sha256:".length)}`, join(store.root, "current"));
  const periods = async (...args: string[]): Promise<readonly ActivePeriod[]> =>
    JSON.parse(await history("--json", ...args)).periods;
  const name = (digest: string) => "ABCD"[[A, B, C, D].findIndex((one) => one === digest)];
  const time = (at: string | null) => at?.slice(DAY.length, -4) ?? null;
  const shown = (await periods()).map((one) =>
    [name(one.release), one.sequence, time(one.from), time(one.until), one.by?.command ?? null] as const
  );
  assert.deepEqual(shown, [
    ["B", null, "13:00", null, "rollback"],
    ["C", 3, "12:00", "13:00", "rollback"],
    ["D", 4, "10:00", "12:00", "pull"],
    ["C", null, null, "10:00", null],
    ["A", 1, "08:10", null, "pull"],
    ["B", null, "08:03", "08:10", "pull"],
    ["A", 1, "06:06", "08:03", "pull"],
  ]);
  assert.deepEqual((await periods()).map(({ isActive }) => isActive), [true, ...Array(6).fill(false)]);
  for (
    const [at, release] of [
      ["06:05", undefined],
      ["07:00", "A"],
      ["08:05", "B"],
      ["09:00", "A"],
      ["11:59", "D"],
    ] as const
  ) {
    const [only, ...others] = await periods("--at", `${DAY}${at}Z`);
    assert.deepEqual([only && name(only.release), others.length], [release, 0], at);
  }
  assert.equal((await periods("--at", "7h"))[0]?.release, B);
  assert.equal((await periods("--since", `${DAY}12:30Z`)).length, 2);
  assert.equal((await periods("--limit", "2")).length, 2);
  assert.deepEqual((await history()).split("\n").slice(0, 7), [
    "SINCE                 ACTIVE FOR  SEQUENCE  RELEASE       WHY",
    `2026-11-28T13:00:00Z         7 h         –  ${B?.slice(7, 19)}  rollback`,
    "    RELOAD_FAILED: Cannot reload",
    `2026-11-28T12:00:00Z         1 h         3  ${C?.slice(7, 19)}  rollback`,
    `2026-11-28T10:00:00Z         2 h         4  ${D?.slice(7, 19)}  pull`,
    `unknown                  unknown         –  ${
      C?.slice(7, 19)
    }  not on record; active at 2026-11-28T10:00:00Z`,
    `2026-11-28T08:10:00Z     unknown         1  ${A?.slice(7, 19)}  rolled back by pull`,
  ]);
  const future = await runCli("history", ["--at", "2026-11-29"], { cwd: dir.path, world: { clock } });
  assert.match(future.stderr, /that time is in the future/);
  // Without a record of it, the active release is known by its pointer.
  for (const path of historyFiles(store)) if (path.endsWith("history.jsonl")) Deno.removeSync(path);
  assert.deepEqual((await periods()).map(({ release, from, isActive }) => [name(release), from, isActive]), [
    ["B", null, true],
  ]);
});

Deno.test("history and status agree on the active release after pulls and a rollback", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  const releases: unknown[] = [];
  for (const content of ["one", "two"]) {
    writeFiles(join(trainer, "models"), { "rf.bin": content });
    releases.push((await runJson(trainer, "publish"))["release"]);
    await runJson(bot, "pull");
  }
  await runJson(bot, "rollback");
  const { periods } = JSON.parse((await run(bot, "history", "--json")).stdout);
  const [first, second] = releases;
  assert.deepEqual(periods.map(({ release }: ActivePeriod) => release), [first, second, first]);
  assert.equal(periods[0].isActive, true);
  assert.equal(JSON.parse((await run(bot, "status", "--json")).stdout).current.digest, first);
  // No consumer loads what a trainer publishes.
  assert.match(
    (await run(trainer, "history")).stdout,
    /^no release was active yet: this machine publishes; /,
  );
});

Deno.test("history names the sequence and the commit of releases whose reload failed, and of one that replaced a withdrawn release", async () => {
  using dir = tempDir();
  const { registry, trainer, bot } = configuredPair(dir.path);
  const reload = [{ type: "command", command: ["sh", "-c", "! grep -q bad models/rf.bin"], retries: 0 }];
  writeFiles(bot, {
    "configs/bot.yaml": JSON.stringify({ model_sync: { repo_url: registry, activation: { reload } } }),
  });
  const publish = async (content: string) => {
    writeFiles(join(trainer, "models"), { "rf.bin": content });
    const { release, sequence, commit } = await runJson(trainer, "publish");
    return [release, sequence, "git", commit];
  };
  const pull = async (code: number) => {
    const ended = await run(bot, "pull");
    assert.equal(ended.code, code, ended.stderr);
  };
  const first = await publish("bad");
  await pull(1);
  const good = await publish("good");
  await pull(0);
  const failed = await publish("bad again");
  await pull(8);
  const [active] = good;
  await runJson(trainer, "withdraw", String(active), "--carrier", "git");
  const fixed = await publish("fixed");
  await pull(8);
  const { periods } = JSON.parse((await run(bot, "history", "--json")).stdout);
  assert.deepEqual(
    periods.map(({ release, sequence, by }: ActivePeriod) => [release, sequence, by?.carrier, by?.revision]),
    [fixed, good, failed, good, first].map((period, index) =>
      // Of a rollback, only the release is on record.
      index === 1 ? [...period.slice(0, 2), undefined, undefined] : period
    ),
  );
});
