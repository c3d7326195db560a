import assert from "node:assert/strict";
import { encodePieces } from "../../lib/core/encode_pieces.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { type ProcessRequest, runProcess, spawnProcess } from "../../lib/core/subprocess.ts";
import { TimeLimit, type Timers } from "../../lib/core/time_limit.ts";

function request(changed: Partial<ProcessRequest>): ProcessRequest {
  return { command: "sh", args: [], timeoutMs: 60_000, signal: new AbortController().signal, ...changed };
}

function shell(script: string, changed: Partial<ProcessRequest> = {}): ProcessRequest {
  return request({ args: ["-c", script], ...changed });
}

Deno.test("runProcess() returns output, error output and exit code", async () => {
  const result = await runProcess(spawnProcess, shell("cat; echo oops >&2; exit 3", { stdin: "in" }));
  assert.equal(new TextDecoder().decode(result.stdout), "in");
  assert.equal(result.stderr, "oops\n");
  assert.equal(result.code, 3);
});

Deno.test("runProcess() transfers megabytes in both directions without a deadlock", async () => {
  const bytes = new Uint8Array(3_000_000).fill(7);
  const result = await runProcess(
    spawnProcess,
    shell("cat; cat /dev/zero | head -c 200000 >&2", { stdin: bytes }),
  );
  assert.deepEqual(result.stdout, bytes);
  assert.equal(result.stderr.length, 64 * 1024);
});

Deno.test("runProcess() requests the next piece of input when the program has the last one, and none after its end", async () => {
  const sent: number[] = [];
  let hasStopped = false;
  async function* pieces(count: number) {
    const piece = new Uint8Array(100_000);
    try {
      for (let index = 0; index < count; index++) {
        sent.push(index);
        yield piece.fill(index);
      }
    } finally {
      hasStopped = true;
    }
  }
  const { stdout } = await runProcess(spawnProcess, shell("cat", { stdin: pieces(5) }));
  assert.deepEqual(stdout, Uint8Array.from({ length: 500_000 }, (_, at) => Math.floor(at / 100_000)));
  assert.deepEqual(sent.splice(0), [0, 1, 2, 3, 4]);
  hasStopped = false;
  const { code } = await runProcess(spawnProcess, shell("head -c 1; exit 3", { stdin: pieces(1000) }));
  assert.equal(code, 3);
  assert.ok(hasStopped && sent.length < 1000);
});

Deno.test("runProcess() names the missing program or folder", async () => {
  await assert.rejects(runProcess(spawnProcess, request({ command: "no-such-program-here" })), {
    code: "PROGRAM_MISSING",
    message: /no-such-program-here.*PATH/,
    hint: /PATH: that of cron and systemd is short$/,
  });
  await assert.rejects(runProcess(spawnProcess, request({ cwd: "/no/such/folder" })), {
    code: "PROGRAM_MISSING",
    message: /\/no\/such\/folder does not exist/,
  });
});

/** Whether a process runs: one that ended and waits to be reaped does not. */
function isRunning(pid: string): boolean {
  const { stdout } = new Deno.Command("ps", { args: ["-o", "stat=", "-p", pid] }).outputSync();
  const state = new TextDecoder().decode(stdout).trim();
  return state !== "" && !state.startsWith("Z");
}

/** Returns whether a process ends that got a signal. Only the program itself is waited for, and not its children. */
function ends(pid: string): boolean {
  return Array.from({ length: 200 }).some(() => !isRunning(pid));
}

Deno.test("the timeout of a program is for the program: the time that its reader takes for a piece does not count", async () => {
  const timeoutMs = 1_000;
  const { stdout, exit } = spawnProcess(shell("head -c 300000 /dev/zero", { timeoutMs }));
  let bytes = 0;
  for await (const piece of stdout) {
    if (bytes === 0) {
      await Promise.race([
        exit,
        new Promise((resolve) => setTimeout(resolve, timeoutMs + 100)),
      ]);
    }
    bytes += piece.length;
  }
  assert.deepEqual([(await exit).code, bytes], [0, 300_000]);
});

Deno.test("a time limit counts the time between its pauses, and ends once", () => {
  let nowMs = 0;
  let over = 0;
  const calls = new Map<() => void, number>();
  const timers: Timers = {
    nowMs: () => nowMs,
    callLater(call, afterMs) {
      calls.set(call, nowMs + afterMs);
      return () => void calls.delete(call);
    },
  };
  const pass = (ms: number) => {
    nowMs += ms;
    for (const [call, dueMs] of [...calls]) if (dueMs <= nowMs && calls.delete(call)) call();
  };
  using limit = new TimeLimit(100, () => over++, timers);
  pass(500);
  limit.start();
  pass(60);
  for (let pauses = 0; pauses < 3; pauses++) {
    limit.pause();
    pass(70);
    limit.start();
    pass(10);
  }
  assert.equal(over, 0);
  pass(10);
  assert.equal(over, 1);
  pass(500);
  assert.deepEqual([over, calls.size], [1, 0]);
  {
    using other = new TimeLimit(100, () => over++, timers);
    other.start();
  }
  pass(500);
  assert.equal(over, 1);
});

Deno.test("runProcess() stops a program at its timeout, with its children", async () => {
  using dir = tempDir();
  const script = `sleep 61 & echo $! > ${dir.path}/helper; sleep 61`;
  await assert.rejects(runProcess(spawnProcess, shell(script, { timeoutMs: 300 })), { code: "TIMEOUT" });
  const helper = Deno.readTextFileSync(`${dir.path}/helper`).trim();
  assert.match(helper, /^\d+$/);
  assert.ok(ends(helper));
});

Deno.test("runProcess() does not wait for a program that the started one leaves behind with its error output, as ssh does", async () => {
  using dir = tempDir();
  const script = `sleep 61 >/dev/null & echo $! > ${dir.path}/helper; echo out; echo said >&2; exit 3`;
  const { code, stdout, stderr } = await runProcess(spawnProcess, shell(script));
  Deno.kill(Number(Deno.readTextFileSync(`${dir.path}/helper`)));
  assert.deepEqual([code, new TextDecoder().decode(stdout), stderr], [3, "out\n", "said\n"]);
});

Deno.test("a program that is left behind with the output can be stopped: the call does not wait for ever", async () => {
  using dir = tempDir();
  const controller = new AbortController();
  const reason = new Error("stopped");
  const script = `sleep 61 & echo $! > ${dir.path}/helper; echo out`;
  const process = spawnProcess(shell(script, { signal: controller.signal }));
  const reading = Array.fromAsync(process.stdout, (piece) => piece.length);
  reading.catch(() => {});
  assert.equal((await process.exit).code, 0);
  controller.abort(reason);
  await assert.rejects(reading, (error) => error === reason);
  assert.ok(ends(Deno.readTextFileSync(`${dir.path}/helper`).trim()));
});

Deno.test("runProcess() redacts secrets of the command line in its errors", async () => {
  const leaky = { args: ["-c", "sleep 61; train --token hunter2", "x", "--token", "hunter2"], timeoutMs: 50 };
  await assert.rejects(runProcess(spawnProcess, request(leaky)), {
    code: "TIMEOUT",
    message: 'Cannot wait for "sh sleep 61; train --token [redacted] x": no end after 50 ms',
  });
  await assert.rejects(runProcess(spawnProcess, request({ command: "HF_TOKEN=hunter2" })), {
    message: 'Cannot run "HF_TOKEN=[redacted]": no such program on the PATH',
  });
  await assert.rejects(runProcess(spawnProcess, shell("sleep 61", { title: "git push", timeoutMs: 50 })), {
    message: /"git push"/,
  });
});

Deno.test("runProcess() stops a program when its signal is aborted, with the signal's reason", async () => {
  const controller = new AbortController();
  const reason = new Error("stopped");
  const running = runProcess(
    spawnProcess,
    shell("echo ready; sleep 61", { signal: controller.signal, onStderr: () => {} }),
  );
  controller.abort(reason);
  await assert.rejects(running, (error) => error === reason);
  await assert.rejects(
    async () => await runProcess(spawnProcess, shell("true", { signal: controller.signal })),
    (error) => error === reason,
  );
});

Deno.test("a program that Ctrl-C ends before this process hears of it was stopped, and did not fail", async () => {
  const controller = new AbortController();
  const reason = new Error("stopped");
  const process = spawnProcess(shell("kill -INT $$", { isAlone: true, signal: controller.signal }));
  setTimeout(() => controller.abort(reason), 50);
  await Array.fromAsync(process.stdout);
  await assert.rejects(process.exit, (error) => error === reason);
  assert.equal((await runProcess(spawnProcess, shell("kill -INT $$", { isAlone: true }))).code, 130);
});

Deno.test("the output of a stopped program is never returned as complete", async () => {
  const controller = new AbortController();
  const reason = new Error("stopped");
  // It closes its output at once when it is asked to stop, and takes its time to end.
  const script = "trap 'exec >&- 2>&-; sleep 0.3; exit' TERM; echo ready; while :; do sleep 0.05; done";
  const process = spawnProcess(shell(script, { signal: controller.signal }));
  const reading = async () => {
    for await (const _piece of process.stdout) controller.abort(reason);
  };
  await assert.rejects(reading(), (error) => error === reason);
  await assert.rejects(process.exit, (error) => error === reason);
});

Deno.test("leaving a program's output early stops the program and its children, and waits for the program's end", async () => {
  using dir = tempDir();
  // A program that never writes again does not notice a closed pipe.
  const process = spawnProcess(shell(`sleep 61 & echo $! > ${dir.path}/helper; echo $$; sleep 61`));
  let pid = "";
  for await (const piece of process.stdout) {
    pid = new TextDecoder().decode(piece).trim();
    break;
  }
  assert.equal(isRunning(pid), false);
  assert.ok(ends(Deno.readTextFileSync(`${dir.path}/helper`).trim()));
  await assert.rejects(process.exit, { message: /not needed any more/ });
});

Deno.test("leaving the output of a program that has ended changes nothing", async () => {
  const process = spawnProcess(shell("echo one; echo two"));
  assert.equal((await process.exit).code, 0);
  for await (const _piece of process.stdout) break;
  assert.equal((await process.exit).code, 0);
});

Deno.test("runProcess() stops a program that prints more than the limit", async () => {
  using dir = tempDir();
  const script = `echo $$ > ${dir.path}/pid; head -c 67108865 /dev/zero; exec sleep 61`;
  await assert.rejects(runProcess(spawnProcess, shell(script)), { code: "OUTPUT_TOO_LARGE" });
  assert.equal(isRunning(Deno.readTextFileSync(`${dir.path}/pid`).trim()), false);
});

Deno.test("encodePieces() yields all texts in order, in pieces of which none holds many of them", async () => {
  const texts = Array.from({ length: 30_000 }, (_, index) => `models/é_${index}\0`);
  const pieces = await Array.fromAsync(encodePieces(texts));
  const { stdout } = await runProcess(spawnProcess, shell("cat", { stdin: encodePieces(texts) }));
  assert.equal(new TextDecoder().decode(stdout), texts.join(""));
  assert.equal(pieces.reduce((sum, piece) => sum + piece.length, 0), stdout.length);
  assert.ok(Math.max(...pieces.map((piece) => piece.length)) < 256 * 1024);
  assert.deepEqual(await Array.fromAsync(encodePieces([])), []);
});
