import { fileURLToPath } from "node:url";
import { GIT_ENV } from "./test_git.ts";

/** The project's folder. */
export const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Run `cli/main.ts` with the union of permissions, or `cli/<command>.ts`, with underscores, under its own set. */
  readonly entry?: "main" | "script";
  /** Instead of the permission set of the entry. */
  readonly permissions?: readonly string[];
}

/** The arguments that run a command from source under its permission set. */
export function cliArgs(
  command: string,
  args: readonly string[],
  options: Omit<CliOptions, "cwd">,
): string[] {
  const isMain = options.entry !== "script";
  const permissions = options.permissions ?? [`-P=${isMain ? "model-sync" : command}`];
  const script = `${PROJECT}cli/${isMain ? "main" : command.replaceAll("-", "_")}.ts`;
  const config = ["--config", `${PROJECT}deno.json`];
  return [
    "run",
    "--quiet",
    "--no-prompt",
    ...config,
    ...permissions,
    script,
    ...(isMain ? [command] : []),
    ...args,
  ];
}

/** Runs a command of the program as a user would: another process, its own permissions. */
export async function runCli(
  command: string,
  args: readonly string[],
  options: CliOptions,
): Promise<CliResult> {
  const result = await new Deno.Command(Deno.execPath(), {
    args: cliArgs(command, args, options),
    cwd: options.cwd,
    env: { ...GIT_ENV, NO_COLOR: "1", ...options.env },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code: result.code, stdout: decoder.decode(result.stdout), stderr: decoder.decode(result.stderr) };
}
