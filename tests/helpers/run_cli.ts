import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type PermissionName, processWorld, type Terminal, type World } from "../../cli/_world.ts";
import { run } from "../../cli/main.ts";
import { spawnInOurGroup } from "../../lib/core/subprocess.ts";
import type { Cron } from "../../lib/daemon/ticks.ts";
import { rootedFs } from "./fake_fs.ts";
import { GIT_ENV } from "./test_git.ts";
import type { FileSystem } from "../../lib/core/files.ts";

/** Hides the user's own settings: git's configuration, and the token of `hf auth login`. */
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
  /** Runs `cli/main.ts` with the union of permissions, or `cli/<command>.ts` under its own permission set. */
  readonly entry?: "main" | "script";
  /** Replaces the permission set of the entry. */
  readonly permissions?: readonly string[];
}

/**
 * Runs a command of the program in this process, with its own folder, variables and output. Everything else is real, except
 * for the permissions that the command gave up. Tests of the process itself (its permission set, signals, a proxy) need
 * {@link spawnCli}.
 */
export async function runCli(
  command: string,
  args: readonly string[],
  { cwd, env = {}, world = {}, stop }: RunOptions,
): Promise<CliResult> {
  const [stdout, stderr] = [new Captured(), new Captured()];
  const added = { ...ISOLATED_ENV, ...env };
  const givenUp = new Set<PermissionName>();
  const reachFrom = (cwd: string): Reach => ({
    fs: rootedFs(cwd),
    // In this process's group: a new group for each program would copy the page tables of this large process.
    spawn: (request) =>
      spawnInOurGroup({
        ...request,
        cwd: resolve(cwd, request.cwd ?? "."),
        env: { ...added, ...request.env },
      }),
    http: fetch,
    ...world,
  });
  const worldIn = (cwd: string): World => ({
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
    ...permitted(reachFrom(cwd), givenUp),
    enter: worldIn,
  });
  const code = await run(worldIn(cwd));
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/**
 * A cron that never fires. A cron of the runtime that a test creates just before a full minute and ends at once would keep
 * every later cron of the process from ending.
 */
const silentCron: Cron = (_name, _schedule, { signal }) =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

/** Collects the output of a command. */
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

/** Returns the arguments that run a command from source under its permission set. */
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

/** Runs a command of the program like a user: as a process with its own permissions. */
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
    stdout: "piped",
    stderr: "piped",
    // A program that kills its group must not kill the tests. `output()` of the command itself would ignore this.
    detached: true,
  }).spawn().output();
  const decoder = new TextDecoder();
  return { code: result.code, stdout: decoder.decode(result.stdout), stderr: decoder.decode(result.stderr) };
}

type Reach = Pick<World, "fs" | "spawn" | "http">;

/** Returns a world that denies a command the permissions it gave up, as the runtime does for a process. */
export function permitted({ fs, spawn, http }: Reach, givenUp: ReadonlySet<PermissionName>): Reach {
  const check = (name: PermissionName, what: string) => {
    if (givenUp.has(name)) throw new Deno.errors.NotCapable(`Requires ${name} access to "${what}"`);
  };
  return {
    fs: guardWrites(fs, (path) => check("write", String(path))),
    spawn(request) {
      check("run", request.command);
      return spawn(request);
    },
    async http(...request) {
      check("net", String(request[0]));
      return await http(...request);
    },
  };
}

/** @param check called with each path before it is changed */
function guardWrites(fs: FileSystem, check: (path: string | URL) => void): FileSystem {
  const guarded = <Path extends string | URL, Rest extends unknown[], Result>(
    operation: (path: Path, ...rest: Rest) => Result,
  ) =>
  (path: Path, ...rest: Rest): Result => {
    check(path);
    return operation(path, ...rest);
  };
  const checkOpen = (path: string | URL, { write, append, create }: Deno.OpenOptions = {}) => {
    if (write || append || create) check(path);
  };
  return {
    ...fs,
    chmodSync: guarded(fs.chmodSync),
    linkSync: guarded(fs.linkSync),
    mkdirSync: guarded(fs.mkdirSync),
    open(path, options) {
      checkOpen(path, options);
      return fs.open(path, options);
    },
    openSync(path, options) {
      checkOpen(path, options);
      return fs.openSync(path, options);
    },
    remove: guarded(fs.remove),
    removeSync: guarded(fs.removeSync),
    renameSync: guarded(fs.renameSync),
    symlinkSync: (target, path, options) => {
      check(path);
      fs.symlinkSync(target, path, options);
    },
    utimeSync: guarded(fs.utimeSync),
  };
}
