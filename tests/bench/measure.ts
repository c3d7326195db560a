import { fileURLToPath } from "node:url";
import { z } from "zod";
import { GIT_ENV } from "../helpers/test_git.ts";
import { PROJECT } from "../helpers/run_cli.ts";

const Measured = z.object({
  code: z.number(),
  wallMs: z.number(),
  /** Processor time of the command's tree. */
  cpuMs: z.number(),
  /** Of the largest process in the command's tree. */
  peakKiB: z.number(),
  writtenBytes: z.number(),
  stdout: z.string(),
  stderr: z.string(),
});
export type Measured = Readonly<z.infer<typeof Measured>>;

const MEASURE = fileURLToPath(new URL("measure.py", import.meta.url));

/** Runs a command to its end, in a folder, and says what it took. A command that fails stops the benchmark. */
export async function measure(cwd: string, command: readonly string[]): Promise<Measured> {
  const { stdout } = await new Deno.Command("python3", {
    args: [MEASURE, cwd, ...command],
    env: { ...GIT_ENV, NO_COLOR: "1" },
  }).output();
  const measured = Measured.parse(JSON.parse(new TextDecoder().decode(stdout)));
  if (measured.code !== 0) throw new Error(`${command.join(" ")}: ${measured.stderr}`);
  return measured;
}

/** As {@link measure}, for what one would type into a shell. */
export async function measureShell(cwd: string, script: string): Promise<Measured> {
  return await measure(cwd, ["sh", "-ec", script]);
}

/** As {@link measure}, for a command of model-sync, run from source under its own permission set. */
export async function measureCli(cwd: string, command: string, ...args: string[]): Promise<Measured> {
  const run = ["run", "-q", "--no-prompt", "--config", `${PROJECT}deno.json`, `-P=${command}`];
  return await measure(cwd, [
    Deno.execPath(),
    ...run,
    `${PROJECT}cli/${command.replaceAll("-", "_")}.ts`,
    ...args,
  ]);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}
