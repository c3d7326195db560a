import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type PermissionName, processWorld, type Terminal, type World } from "../../cli/_world.ts";
import { run } from "../../cli/main.ts";
import { spawnInOurGroup } from "../../lib/core/subprocess.ts";
import type { Cron } from "../../lib/daemon/ticks.ts";
import { permitted } from "./permitted.ts";
import { rootedFs } from "./rooted_fs.ts";
import { GIT_ENV } from "./test_git.ts";

/** Nothing of the user's own: neither what git is told, nor the token that `hf auth login` left. */
const ISOLATED_ENV = { ...GIT_ENV, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1", NO_COLOR: "1" };

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
}

export interface RunOptions extends CliOptions {
  /** Replaces parts of the world. */
  readonly world?: Partial<World>;
  /** Stops the command as a first SIGTERM does. */
  readonly stop?: AbortSignal;
}

export interface SpawnOptions extends CliOptions {
  /** Run `cli/main.ts` with the union of permissions, or `cli/<command>.ts`, with underscores, under its own set. */
  readonly entry?: "main" | "script";
  /** Instead of the permission set of the entry. */
  readonly permissions?: readonly string[];
}

/**
 * Runs a command of the program in this process: a folder, variables and output of its own, the rest of the world is
 * real, but for what the command gave up. What the process itself is asked for (its permission set, signals, a proxy)
 * takes {@link spawnCli}.
 */
export async function runCli(
  command: string,
  args: readonly string[],
  { cwd, env = {}, world = {}, stop }: RunOptions,
): Promise<CliResult> {
  const [stdout, stderr] = [new Captured(), new Captured()];
  const added = { ...ISOLATED_ENV, ...env };
  const givenUp = new Set<PermissionName>();
  const reach: Pick<World, "fs" | "spawn" | "http"> = {
    fs: rootedFs(cwd),
    // In our own group: a group for each program costs a copy of the page tables of this large process.
    spawn: (request) =>
      spawnInOurGroup({
        ...request,
        cwd: resolve(cwd, request.cwd ?? "."),
        env: { ...added, ...request.env },
      }),
    http: fetch,
    ...world,
  };
  const code = await run({
    ...processWorld,
    args: [command, ...args],
    stdout,
    stderr,
    noColor: true,
    freeBytes: (path) => processWorld.freeBytes(resolve(cwd, path)),
    permissions: { givenUp, giveUp: (name) => void givenUp.add(name) },
    cron: silentCron,
    variables: () => ({ ...Deno.env.toObject(), ...added }),
    onStop(callBack) {
      const onAbort = () => callBack("SIGTERM");
      stop?.addEventListener("abort", onAbort, { once: true });
      return { [Symbol.dispose]: () => stop?.removeEventListener("abort", onAbort) };
    },
    ...world,
    ...permitted(reach, givenUp),
  });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/**
 * A cron whose time never comes. One of the runtime's that a test creates just before a full minute and ends at once
 * would keep every later one of the process from ending.
 */
const silentCron: Cron = (_name, _schedule, { signal }) =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

/** Keeps what a command prints. */
class Captured implements Terminal {
  readonly #decoder = new TextDecoder();
  text = "";

  writeSync(bytes: Uint8Array): number {
    this.text += this.#decoder.decode(bytes, { stream: true });
    return bytes.length;
  }

  isTerminal(): boolean {
    return false;
  }
}

/** The arguments that run a command from source under its permission set. */
export function cliArgs(
  command: string,
  args: readonly string[],
  options: Omit<SpawnOptions, "cwd">,
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
export async function spawnCli(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<CliResult> {
  const result = await new Deno.Command(Deno.execPath(), {
    args: cliArgs(command, args, options),
    cwd: options.cwd,
    env: { ...ISOLATED_ENV, ...options.env },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code: result.code, stdout: decoder.decode(result.stdout), stderr: decoder.decode(result.stderr) };
}
