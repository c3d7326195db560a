import assert from "node:assert/strict";
import { join } from "node:path";
import { cliArgs, runCli } from "../helpers/run_cli.ts";
import { world } from "../helpers/seed_world.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

const onPosix = { ignore: Deno.build.os === "windows" };

/** A publisher whose training ignores SIGTERM, as a process that runs in it. It opens the pipe for as long as it lives. */
class StubbornTraining {
  readonly cwd: string;
  readonly #pipe: string;
  readonly #process: Deno.ChildProcess;
  readonly #args: readonly string[];

  constructor(cwd: string, command: string, args: readonly string[], settings: string) {
    this.cwd = cwd;
    this.#args = args;
    this.#pipe = join(cwd, "pipe");
    assert.ok(new Deno.Command("mkfifo", { args: [this.#pipe] }).outputSync().success);
    const script = `trap '' TERM; exec 3>"${this.#pipe}"; echo training >&3; while :; do sleep 1; done`;
    writeFiles(cwd, {
      "configs/bot.yaml": `model_sync:
  repo_dir: "../trainer-clone"
  ${settings}
  publisher: {train_command: [sh, -c, ${JSON.stringify(script)}]}
`,
    });
    this.#process = new Deno.Command(Deno.execPath(), {
      args: cliArgs(command, [...this.#args], { entry: "script" }),
      cwd,
      env: { ...GIT_ENV, NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
  }

  /** Sends a number of SIGTERMs to a running training. @returns how the process ended, after the training ended */
  async stop(signals: number): Promise<{ code: number; stderr: string }> {
    // Opening a pipe waits for its writer.
    using pipe = await Deno.open(this.#pipe, { read: true });
    assert.ok((await pipe.read(new Uint8Array(100)) ?? 0) > 0);
    const reader = this.#process.stderr.pipeThrough(new TextDecoderStream()).getReader();
    let stderr = "";
    for (let sent = 0; sent < signals; sent++) {
      this.#process.kill("SIGTERM");
      while (!stderr.includes("SIGTERM: stopping")) stderr += (await reader.read()).value ?? "";
    }
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) stderr += piece.value;
    const { code } = await this.#process.status;
    // The end of the pipe: no process of the training lives any more.
    assert.equal(await pipe.read(new Uint8Array(100)), null);
    return { code, stderr };
  }
}

Deno.test(
  "a daemon whose job ignores SIGTERM ends after stop_timeout_sec, its programs too, and the next run recovers",
  onPosix,
  async () => {
    using dir = tempDir();
    const { trainer } = world(dir);
    const args = ["--role", "publisher", "--run-on-start"];
    const daemon = new StubbornTraining(trainer, "daemon", args, "stop_timeout_sec: 0.2");
    const { code, stderr } = await daemon.stop(1);
    assert.equal(code, 130, stderr);
    assert.match(stderr, /^error: Cannot stop cleanly: the work did not end within 200 ms$/m);
    const next = await runCli("publish", ["--skip-training", "--json"], { cwd: trainer });
    assert.equal(next.code, 0, next.stderr);
    assert.equal(JSON.parse(next.stdout).outcome, "published");
  },
);

Deno.test(
  "a second SIGTERM immediately ends a command and the programs that it started",
  onPosix,
  async () => {
    using dir = tempDir();
    const { trainer } = world(dir);
    const publish = new StubbornTraining(trainer, "publish", [], "stop_timeout_sec: 3600");
    const { code, stderr } = await publish.stop(2);
    assert.equal(code, 130, stderr);
    assert.doesNotMatch(stderr, /Cannot stop cleanly/);
    assert.ok(readFiles(join(trainer, "models"))["BTC_USDC/rf.bin"]);
  },
);
