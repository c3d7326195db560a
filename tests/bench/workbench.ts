import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { runProcess, spawnProcess } from "../../lib/core/subprocess.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { GIT_ENV } from "../helpers/test_git.ts";
import type { Scale } from "./scale.ts";
import type { Result } from "./table.ts";
import { taskWords } from "./task_flags.ts";

const Measured = z.object({
  code: z.number(),
  wallMs: z.number(),
  /** Processor time of the command's process tree. */
  cpuMs: z.number(),
  /** Peak memory of the largest process in the command's process tree. */
  peakKiB: z.number(),
  writtenBytes: z.number(),
  readBytes: z.number(),
  stdout: z.string(),
  stderr: z.string(),
});
export type Measured = Readonly<z.infer<typeof Measured>>;

const MEASURE = fileURLToPath(new URL("measure.py", import.meta.url));

/** A scenario's tools: an empty folder, the sizes of the run, and functions to measure a command and to report. */
export class Workbench {
  readonly dir: string;
  readonly scale: Scale;
  /** Aborted at the time limit, or when the operator interrupts the run. */
  readonly signal: AbortSignal;
  readonly #onRow: (row: Result) => void;

  constructor(dir: string, scale: Scale, signal: AbortSignal, onRow: (row: Result) => void) {
    this.dir = dir;
    this.scale = scale;
    this.signal = signal;
    this.#onRow = onRow;
  }

  /** Adds rows to the table, which are printed at once. */
  report(...rows: readonly Result[]): void {
    for (const { kept, ...row } of rows) {
      this.#onRow(this.scale.isJudged && kept !== undefined ? { ...row, kept } : row);
    }
  }

  /**
   * Runs a command in a folder and returns its resource usage.
   *
   * @throws when it fails, with what it printed
   */
  async run(cwd: string, command: readonly string[]): Promise<Measured> {
    const { code, stdout, stderr } = await runProcess(spawnProcess, {
      command: "python3",
      args: [MEASURE, cwd, ...command],
      env: { ...GIT_ENV, NO_COLOR: "1" },
      timeoutMs: this.scale.limitMs,
      signal: this.signal,
    });
    if (code !== 0) throw new Error(`Cannot measure ${command[0]}: ${stderr}`);
    const measured = Measured.parse(JSON.parse(new TextDecoder().decode(stdout)));
    if (measured.code !== 0) {
      throw new Error(
        `${measured.stderr.trim() || measured.stdout.trim()} (exit code ${measured.code} of ${
          title(command)
        })`,
      );
    }
    return measured;
  }

  /** As {@link run}, for a shell command. */
  async shell(cwd: string, script: string): Promise<Measured> {
    return await this.run(cwd, ["sh", "-ec", script]);
  }

  /** As {@link run}, for a command of model-sync from source, with the flags of its task. */
  async cli(cwd: string, command: string, ...args: readonly string[]): Promise<Measured> {
    return await this.deno(cwd, [...taskWords(command), ...args]);
  }

  /** Installs the program, and returns the launcher that users start. */
  async install(): Promise<string> {
    const prefix = join(this.dir, "prefix");
    await this.script(PROJECT, "configs/install.ts", "--prefix", prefix);
    return join(prefix, "bin/model-sync");
  }

  /** As {@link run}, for a script of the project. */
  async script(cwd: string, path: string, ...args: readonly string[]): Promise<Measured> {
    return await this.deno(cwd, ["-A", join(PROJECT, path), ...args]);
  }

  /** As {@link run}, for `deno run` with the project's configuration. */
  async deno(cwd: string, args: readonly string[]): Promise<Measured> {
    return await this.run(cwd, [Deno.execPath(), "run", "-q", "--config", `${PROJECT}deno.json`, ...args]);
  }

  /** Waits for conditions that the figures need, such as old timestamps. */
  async pause(fullMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.scale.pauseMs(fullMs)));
    this.signal.throwIfAborted();
  }
}

/** Returns the command's first line: Python scripts are long. */
function title(command: readonly string[]): string {
  return command.map((word) => word.slice(word.lastIndexOf("/") + 1)).join(" ").trim().split("\n")[0] ?? "";
}
