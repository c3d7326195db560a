import { type Clock, systemClock } from "../lib/core/clock.ts";
import type { Context } from "../lib/core/context.ts";
import { EXIT, type ExitCode } from "../lib/core/errors.ts";
import { withUserVariables } from "../lib/core/launcher_variables.ts";
import { killPrograms, spawnProcess } from "../lib/core/subprocess.ts";
import type { Cron } from "../lib/daemon/ticks.ts";

/** A stream that commands print to. */
export interface Terminal {
  writeSync(bytes: Uint8Array): number;
  /** Whether it shows colours and a progress bar. */
  isTerminal(): boolean;
}

/** The stream that a question's answer comes from. */
export interface Input {
  read(buffer: Uint8Array): Promise<number | null>;
  isTerminal(): boolean;
}

/** The terminal of a command. */
export interface Screen {
  /** Missing where no question can be answered. */
  readonly stdin?: Input;
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  /** `NO_COLOR` is set and not empty: https://no-color.org */
  readonly noColor: boolean;
  readonly clock: Clock;
  /** Returns the present width of the terminal; `undefined` without a terminal. */
  columns(): number | undefined;
  /** Returns the present height of the terminal; `undefined` without a terminal. */
  rows?(): number | undefined;
}

export type PermissionName = "env" | "net" | "run" | "write";

/** The permissions of the process. What is given up stays given up. */
export interface Permissions {
  readonly givenUp: ReadonlySet<PermissionName>;
  giveUp(name: PermissionName): void;
}

/**
 * Everything outside a command: its arguments, variables, working folder (`fs.cwd()`), output, signals, permissions,
 * and the rest of what becomes its {@link Context}. The program runs in {@link processWorld}; tests run commands in
 * worlds of their own, many of them in one process.
 */
export interface World extends Screen, Pick<Context, "fs" | "spawn" | "http" | "freeBytes" | "host"> {
  readonly args: readonly string[];
  readonly permissions: Permissions;
  /** Returns the world with another working folder. The real one has a single one for the whole process. */
  enter(folder: string): World;
  /** The environment variables, without those of `.env`. A command reads them once, and gives up the permission. */
  variables(): Readonly<Record<string, string>>;
  /** Calls `stop` with the first signal that ends processes, until the result is disposed. */
  onStop(stop: (signal: Deno.Signal) => void): Disposable;
  /** Ends the process and the programs that it started immediately. */
  endNow(code: ExitCode): void;
  readonly cron: Cron;
}

const givenUp = new Set<PermissionName>();

/** The world of this process. */
export const processWorld: World = {
  args: Deno.args,
  stdin: Deno.stdin,
  stdout: Deno.stdout,
  stderr: Deno.stderr,
  noColor: Deno.noColor,
  fs: Deno,
  spawn: spawnProcess,
  http: fetch,
  clock: systemClock,
  columns: () => consoleSize()?.columns,
  rows: () => consoleSize()?.rows,
  freeBytes,
  // A getter, because reading it needs a permission that the help does without.
  get host() {
    return Deno.hostname();
  },
  permissions: {
    givenUp,
    giveUp(name) {
      Deno.permissions.revokeSync({ name });
      givenUp.add(name);
    },
  },
  enter(folder) {
    Deno.chdir(folder);
    return processWorld;
  },
  variables() {
    // Deleted, because the programs that we start inherit the variables of this process.
    for (const name of GIT_VARIABLES) Deno.env.delete(name);
    const ofProcess = Deno.env.toObject();
    const variables = withUserVariables(ofProcess);
    for (const name of SERVICE_VARIABLES) Deno.env.delete(name);
    for (const name of Object.keys(ofProcess)) {
      const value = variables[name];
      if (value === undefined) Deno.env.delete(name);
      else if (value !== ofProcess[name]) Deno.env.set(name, value);
    }
    return variables;
  },
  onStop: stopOnSignals,
  endNow,
  // A function, because Deno.cron exists only with `"unstable": ["cron"]`, which only the daemon needs.
  cron: (name, schedule, options, callBack) => Deno.cron(name, schedule, options, callBack),
};

/**
 * Ends the process of a finished command. Deno stores the compiled code of the modules that it loaded at the end of the
 * next turn of its event loop, which a command that waits for nothing would never reach: each start would compile them
 * again. The second write waits for that end, as the first one may be done when the turn begins.
 */
export async function endProcess(code: number): Promise<never> {
  try {
    for (let turn = 0; turn < 2; turn++) await Deno.stdout.write(new Uint8Array());
  } catch {
    // The reader of the output is gone. The turn of the loop was taken.
  }
  Deno.exit(code);
}

function endNow(code: ExitCode): never {
  killPrograms();
  Deno.exit(code);
}

/** Variables with which systemd addresses this process: programs that it starts must not report in its name. */
export const SERVICE_VARIABLES: readonly string[] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/** Variables that a git hook sets, and that would point our git at another repository. */
const GIT_VARIABLES = [
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_COMMON_DIR",
  "GIT_NAMESPACE",
  "GIT_PREFIX",
  "GIT_CONFIG",
  "GIT_ATTR_SOURCE",
  "GIT_GRAFT_FILE",
  "GIT_SHALLOW_FILE",
  "GIT_REPLACE_REF_BASE",
  "GIT_IMPLICIT_WORK_TREE",
  "GIT_QUARANTINE_PATH",
  "GIT_LITERAL_PATHSPECS",
  "GIT_GLOB_PATHSPECS",
  "GIT_NOGLOB_PATHSPECS",
  "GIT_ICASE_PATHSPECS",
];

/** Read for each line that is drawn, because a window may be resized at any time. */
function consoleSize(): ReturnType<typeof Deno.consoleSize> | undefined {
  try {
    return Deno.consoleSize();
  } catch {
    // There is no terminal, or it has no size.
    return undefined;
  }
}

/** Loads node:fs only when it is called: the module costs some milliseconds at start. */
async function freeBytes(path: string): Promise<number | undefined> {
  const { statfsSync } = await import("node:fs");
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    // Some systems do not report it. A full disk then shows as a failed write.
    return undefined;
  }
}

/** The first signal stops the run, the second one ends the process. */
function stopOnSignals(stop: (signal: Deno.Signal) => void): Disposable {
  let isStopping = false;
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  const handlers = signals.map((signal) => {
    const handler = () => {
      if (isStopping) endNow(EXIT.interrupted);
      isStopping = true;
      stop(signal);
    };
    Deno.addSignalListener(signal, handler);
    return { signal, handler };
  });
  return {
    [Symbol.dispose]() {
      for (const { signal, handler } of handlers) Deno.removeSignalListener(signal, handler);
    },
  };
}
