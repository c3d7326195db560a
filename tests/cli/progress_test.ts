import assert from "node:assert/strict";
import { join } from "node:path";
import { Output } from "../../cli/_output.ts";
import { FailedError } from "../../lib/core/errors.ts";
import { textWidth } from "../../lib/core/text_width.ts";
import { Working } from "../../lib/core/working.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { FakeTerminal, HAS_PTY, runOnTerminal } from "./terminal.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository } from "../helpers/test_git.ts";

const MIB = 1024 ** 2;
const START = "2026-11-21T00:00:00Z";

/** An output whose standard error is a terminal. */
function onTerminal(columns: number, level: Output["options"]["level"] = "info") {
  const clock = new FakeClock(START);
  const terminal = new FakeTerminal(columns);
  const decoder = new TextDecoder();
  const stream = {
    writeSync: (bytes: Uint8Array) => {
      terminal.write(decoder.decode(bytes, { stream: true }));
      return bytes.length;
    },
    isTerminal: () => true,
  };
  const screen = { stdout: stream, stderr: stream, noColor: true, clock, columns: () => terminal.columns };
  return { clock, terminal, output: new Output({ json: false, logFormat: "text", level }, screen) };
}

/** An output without a terminal, and the lines that it printed. */
function onPipe(options: Partial<Output["options"]> = {}) {
  const clock = new FakeClock(START);
  let text = "";
  const stream = {
    writeSync: (bytes: Uint8Array) => {
      text += new TextDecoder().decode(bytes);
      return bytes.length;
    },
    isTerminal: () => false,
  };
  const screen = { stdout: stream, stderr: stream, noColor: true, clock, columns: () => undefined };
  const output = new Output({ json: false, logFormat: "text", level: "info", ...options }, screen);
  return { clock, output, lines: () => text.split("\n").filter((line) => line !== "") };
}

function shownOnPipe() {
  const { lines, ...piped } = onPipe();
  return { ...piped, shown: lines };
}

function shownOnTerminal() {
  const { terminal, ...drawn } = onTerminal(80);
  return { ...drawn, shown: () => terminal.rows.filter((row) => row !== "") };
}

const LABELS = [
  "downloading",
  "references-sync: git push",
  "模型を公開しています",
  "a label that is longer than any line ".repeat(5),
];

Deno.test("progress occupies one row of a terminal of any width, and none after the work", () => {
  for (const columns of [200, 80, 79, 40, 20, 9, 1]) {
    for (const label of LABELS) {
      const { clock, terminal, output } = onTerminal(columns);
      output.log.info("begin");
      const begin = terminal.rows;
      for (let step = 0; step <= 40; step++) {
        output.log.progress(label, step * 1001.7 * MIB, step % 2 === 0 ? 40_068 * MIB : undefined);
        clock.advance(150);
        assert.ok(terminal.rows.length <= begin.length + 1, terminal.rows.join("\n"));
        assert.deepEqual(terminal.rows.slice(0, begin.length), begin);
        assert.ok(textWidth(terminal.rows.at(-1) ?? "") <= columns);
      }
      assert.equal(terminal.rows.length, begin.length + (columns === 1 ? 0 : 1), `${columns} ${label}`);
      output.result({}, () => []);
      assert.deepEqual(terminal.rows, begin);
    }
  }
});

Deno.test("a terminal that is resized while a bar is drawn keeps no stale row", () => {
  const { clock, terminal, output } = onTerminal(120);
  output.log.info("begin");
  for (const [step, columns] of [120, 80, 40, 30, 120, 33, 100, 61].entries()) {
    terminal.resize(columns);
    output.log.progress("downloading", step * 100 * MIB, 900 * MIB);
    clock.advance(150);
    output.log.progress("downloading", (step + 0.5) * 100 * MIB, 900 * MIB);
    assert.deepEqual([terminal.rows.length, terminal.rows[0]], [2, "→ begin"], terminal.rows.join("\n"));
  }
  terminal.resize(20);
  output.log.info("end");
  assert.deepEqual(terminal.rows, ["→ begin", "→ end"]);
});

Deno.test("a narrow terminal shows no bar, then fewer figures, the most important last", () => {
  const seen = [100, 80, 60, 40, 20, 12].map((columns) => {
    const { clock, terminal, output } = onTerminal(columns);
    output.log.progress("copying", 0, 512 * MIB);
    clock.advance(2_000);
    output.log.progress("copying", 256 * MIB, 512 * MIB);
    return terminal.rows[0];
  });
  assert.deepEqual(seen, [
    "  copying ████████████░░░░░░░░░░░░ 50%  256.0 MiB of 512.0 MiB, 128.0 MiB/s, 2.0 s left",
    "  copying █████░░░░░ 50%  256.0 MiB of 512.0 MiB, 128.0 MiB/s, 2.0 s left",
    "  copying 50%, 256.0 MiB of 512.0 MiB, 128.0 MiB/s",
    "  copying 50%, 256.0 MiB of 512.0 MiB",
    "  copying 50%",
    "  copying …",
  ]);
});

Deno.test("a terminal without a width gets lines of 79 columns", () => {
  const { clock, terminal, output } = onTerminal(0);
  output.log.progress("copying", 0, 512 * MIB);
  clock.advance(2_000);
  assert.doesNotThrow(() => output.log.progress("copying", 256 * MIB, 512 * MIB));
  assert.equal(terminal.columns, 0);
});

Deno.test("work whose only figure is its duration shows it, and does not replace a moving bar", () => {
  const { clock, terminal, output } = onTerminal(80);
  {
    using _work = new Working({ clock, log: output.log }, "git push");
    for (let second = 0; second < 4; second++) clock.advance(1_000);
    assert.deepEqual(terminal.rows, ["  git push 3.0 s so far"]);
    output.log.progress("hashing", MIB, 10 * MIB);
    clock.advance(500);
    output.log.progress("hashing", 2 * MIB, 10 * MIB);
    clock.advance(500);
    assert.match(terminal.rows.join("\n"), /^ {2}hashing/);
    for (let second = 0; second < 3; second++) clock.advance(1_000);
    assert.deepEqual(terminal.rows, ["  git push 7.0 s so far"]);
  }
  clock.advance(5_000);
  assert.deepEqual(terminal.rows, ["  git push 7.0 s so far"]);
});

Deno.test("without a terminal, work logs a line every 15 seconds, and nothing in between", () => {
  const { clock, output, lines } = onPipe();
  output.log.info("pushing to origin/main");
  {
    using work = new Working({ clock, log: output.log }, "git push");
    for (let second = 0; second < 31; second++) clock.advance(1_000);
    work.report(20 * MIB, undefined);
    for (let second = 0; second < 15; second++) clock.advance(1_000);
    work.report(40 * MIB, 80 * MIB);
    for (let second = 0; second < 15; second++) clock.advance(1_000);
  }
  clock.advance(60_000);
  assert.deepEqual(lines().map((line) => line.replace(/^\S+ +/, "")), [
    "info  pushing to origin/main",
    "info  git push: 14.0 s so far",
    "info  git push: 29.0 s so far",
    "info  git push: 20.0 MiB, 465.5 KiB/s",
    "info  git push: 50%, 40.0 MiB of 80.0 MiB, 694.2 KiB/s, 59.0 s left",
  ]);
});

Deno.test("work that begins long after the last line is shown when its duration is known", () => {
  for (const isTerminal of [false, true]) {
    const { clock, output, shown } = isTerminal ? shownOnTerminal() : shownOnPipe();
    output.log.progress("hashing", 0, 8 * MIB);
    clock.advance(60_000);
    using _work = new Working({ clock, log: output.log }, "git push");
    clock.advance(1_000);
    assert.deepEqual(shown(), []);
    clock.advance(1_000);
    assert.match(shown().join("\n"), /git push:? 1\.0 s so far$/);
  }
});

Deno.test("a log line postpones the next line of progress; --quiet has none, and --log-format json has the bytes", () => {
  const { clock, output, lines } = onPipe();
  output.log.progress("hashing", 0, MIB);
  clock.advance(14_000);
  output.log.info("a step");
  clock.advance(14_000);
  output.log.progress("hashing", 1, MIB);
  assert.equal(lines().length, 1);

  const quiet = onPipe({ level: "warn" });
  const silent = onPipe({ level: "silent", json: true });
  const json = onPipe({ logFormat: "json" });
  for (const { clock, output } of [quiet, silent, json]) {
    for (let step = 0; step < 4; step++) {
      output.log.progress("hashing", step * MIB, 4 * MIB);
      clock.advance(10_000);
    }
  }
  assert.deepEqual([...quiet.lines(), ...silent.lines()], []);
  const [line = ""] = json.lines();
  const { level, message, doneBytes, totalBytes } = JSON.parse(line);
  assert.deepEqual([level, message, doneBytes, totalBytes], [
    "info",
    "hashing: 50%, 2.0 MiB of 4.0 MiB, 102.4 KiB/s, 20.0 s left",
    2 * MIB,
    4 * MIB,
  ]);
});

Deno.test("the speed of a download that continues an earlier one counts what this run fetched", () => {
  const { clock, output, lines } = onPipe();
  output.log.progress("downloading", 900 * MIB, 1000 * MIB);
  clock.advance(20_000);
  output.log.progress("downloading", 920 * MIB, 1000 * MIB);
  assert.match(lines()[0] ?? "", /downloading: 92%, 920.0 MiB of 1000.0 MiB, 1.0 MiB\/s, 1 min 20 s left$/);
});

Deno.test({
  name: "a command on a real terminal of 80 or 40 columns leaves no row of its progress" +
    (HAS_PTY ? "" : " (skipped: no python3 with a pty here)"),
  ignore: !HAS_PTY,
  fn: async () => {
    using dir = tempDir();
    writeFiles(dir.path, { "bot.yaml": "model_sync: {repo_url: ./registry.git}\n", "models/a.bin": "" });
    bareRepository(join(dir.path, "registry.git"));
    // A sparse file uses no disk space. Hashing it has to take several times as long as a bar stays, on fast machines, too.
    Deno.truncateSync(join(dir.path, "models/a.bin"), 768 * MIB);
    for (const columns of [80, 40]) {
      const args = ["publish", "--skip-training", "--dry-run", "--config", "bot.yaml"];
      const { code, written } = await runOnTerminal(columns, args, { cwd: dir.path });
      assert.equal(code, 0, written);
      const terminal = new FakeTerminal(columns);
      const bars = written.split("\r\x1b[K").length - 1;
      assert.ok(bars > 1, `only ${bars} times: ${written}`);
      terminal.write(written);
      assert.deepEqual(terminal.rows.filter((row) => row.includes("hashing")), [], terminal.rows.join("\n"));
      assert.ok(terminal.rows.some((row) => row.includes("+ a.bin")), terminal.rows.join("\n"));
    }
  },
});

Deno.test("no progress bar is drawn over another program's open line, and a log line begins a new line", () => {
  const { clock, terminal, output } = onTerminal(80);
  const program = (text: string) => output.passThrough(new TextEncoder().encode(text));
  const wait = () => {
    for (let second = 0; second < 3; second++) clock.advance(1_000);
  };
  using _working = new Working({ clock, log: output.log }, "training");
  program("epoch 1\n");
  wait();
  assert.match(terminal.rows.join("\n"), /^epoch 1\n {2}training \d.0 s so far$/);
  program("epoch 2: 40%");
  wait();
  assert.deepEqual(terminal.rows, ["epoch 1", "epoch 2: 40%"]);
  output.log.info("done");
  assert.deepEqual(terminal.rows.slice(0, 3), ["epoch 1", "epoch 2: 40%", "→ done"]);
});

Deno.test("an error and a result begin a new line after another program's open line, with --quiet too", () => {
  for (const level of ["info", "warn"] as const) {
    const { terminal, output } = onTerminal(80, level);
    output.passThrough(new TextEncoder().encode("Traceback: no data"));
    output.error(new FailedError("Cannot train: the command failed", { code: "TRAINING_FAILED" }));
    assert.deepEqual(terminal.rows, ["Traceback: no data", "error: Cannot train: the command failed"]);
  }
  const { terminal, output } = onTerminal(80);
  output.passThrough(new TextEncoder().encode("epoch 2: 100%"));
  output.result({}, () => ["published"]);
  assert.deepEqual(terminal.rows, ["epoch 2: 100%", "published"]);
});
