import { onceAfter } from "./clock.ts";
import { concatenate } from "./concatenate.ts";
import { FailedError, UsageError } from "./errors.ts";
import { ifFound } from "./files.ts";
import { formatDuration } from "./format.ts";
import { type Cut, readOutput, readPipe, readTail } from "./process_output.ts";
import { redactArguments } from "./redact_arguments.ts";
import { TimeLimit } from "./time_limit.ts";

/** The end of the hint for a program that is installed but not found. */
export const PATH_HINT = "to the PATH: that of cron and systemd is short";

/** The hint for a program that is not found. */
export const PROGRAM_HINT = `install it, correct the command, or add the folder of the program ${PATH_HINT}`;

export interface ProcessRequest {
  readonly command: string;
  readonly args: readonly string[];
  /** Its name in errors, instead of the command line. */
  readonly title?: string;
  readonly cwd?: string;
  /** Added to the inherited environment. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Written to the child's standard input, which is then closed. Without it, standard input is empty. The next piece is
   * requested when the child's pipe has the last one.
   */
  readonly stdin?: string | Uint8Array<ArrayBuffer> | AsyncIterable<Uint8Array>;
  /** The child is stopped after this time. What its reader does with a piece of its output takes none of it. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /**
   * The program starts no others, or none that outlives it. It then stays in the group of this process, which takes half
   * of the time: a group of its own requires a copy of the page tables.
   */
  readonly isAlone?: boolean;
  /** Called with standard error as it arrives, for progress. */
  readonly onStderr?: (text: string) => void;
}

export interface ProcessExit {
  readonly code: number;
  /** The end of standard error, at most 64 Ki characters. */
  readonly stderr: string;
}

export interface RunningProcess {
  /**
   * Standard output in pieces. A piece is valid until the next one is requested. Leaving the loop early stops the
   * program and waits for its end.
   */
  readonly stdout: AsyncGenerator<Uint8Array<ArrayBuffer>>;
  /** Settles when the child has ended and its standard error was read to the end. */
  readonly exit: Promise<ProcessExit>;
}

/** Starts a program. Needs the run permission for it. */
export type SpawnProcess = (request: ProcessRequest) => RunningProcess;

/**
 * The largest captured outputs are lists of files: 200,000 paths of 300 bytes. A larger output is a bug or an attack.
 */
export const STDOUT_BYTES_MAX = 64 * 1024 * 1024;

const TOO_LARGE = "OUTPUT_TOO_LARGE";

/** The time for clean-up between SIGTERM and SIGKILL. Git removes its lock files in milliseconds. */
const KILL_GRACE_MS = 5_000;

/**
 * How long the error output of a program may stay open after its end. What it leaves behind may keep it open for long, as
 * old versions of ssh do with ControlPersist. The last words of the program itself arrive in milliseconds.
 */
const LAST_WORDS_MS = 2_000;

/** How long after a program of its group this process may hear of a signal to both, such as that of Ctrl-C. */
const OWN_SIGNAL_MS = 100;

/** On Windows, a process group would only keep Ctrl-C from the program. */
const HAS_PROCESS_GROUPS = Deno.build.os !== "windows";

/**
 * Starts a program with its output piped, in its own process group. After the request's timeout, or when its signal is
 * aborted, the group is stopped with SIGTERM, then SIGKILL. `stdout` and `exit` then fail with a `TIMEOUT` {@link
 * FailedError} or the signal's reason. With a narrow run permission, only the program itself can be stopped.
 *
 * @throws {UsageError} if there is no such program
 */
export const spawnProcess: SpawnProcess = (request) =>
  spawn(request, HAS_PROCESS_GROUPS && request.isAlone !== true);

/**
 * As {@link spawnProcess}, in the group of this process: only the program itself is stopped. It starts in two
 * milliseconds, whatever the size of this process. A group of its own requires a copy of the page tables.
 */
export const spawnInOurGroup: SpawnProcess = (request) => spawn(request, false);

/** One function for each running program, which kills it. */
const killers = new Set<() => void>();

/**
 * Kills every running program of this process. Called before the process itself ends at once: programs in their own
 * group would survive it and disturb the next run.
 */
export function killPrograms(): void {
  for (const kill of killers) kill();
}

function spawn(request: ProcessRequest, ownGroup: boolean): RunningProcess {
  request.signal.throwIfAborted();
  const child = start(request, ownGroup);
  const killNow = () => kill(child, "SIGKILL", ownGroup);
  killers.add(killNow);
  child.status.then(() => killers.delete(killNow));
  let graceTimer: ReturnType<typeof setTimeout> | undefined;
  let hasEnded = false;

  /** What the program leaves behind may keep its output open: until that is read, the call can still be stopped. */
  const release = () => {
    if (!hasEnded || cut.pipes.size > 0) return;
    limit[Symbol.dispose]();
    if (graceTimer !== undefined) clearTimeout(graceTimer);
    request.signal.removeEventListener("abort", onAbort);
  };
  const cut: Cut = { ...Promise.withResolvers<never>(), isDue: false, pipes: new Set(), onRead: release };
  cut.promise.catch(() => {});
  const end = (reason: unknown) => {
    if (cut.isDue) return;
    cut.isDue = true;
    kill(child, "SIGTERM", ownGroup);
    graceTimer = setTimeout(killNow, KILL_GRACE_MS);
    // A child of the program may survive and keep the pipes open. Once the program has ended, its pipes are closed.
    child.status.then(() => {
      cut.reject(reason);
      for (const pipe of cut.pipes) pipe.cancel();
    });
  };
  const onAbort = () => end(request.signal.reason);
  request.signal.addEventListener("abort", onAbort, { once: true });
  const limit = new TimeLimit(request.timeoutMs, () => end(timeoutError(request)));
  limit.start();

  const stderr = child.stderr.getReader({ mode: "byob" });
  let lastWords: Disposable | undefined;
  const exit = (async () => {
    try {
      child.status.then(() => {
        if (!hasEnded) lastWords = onceAfter(LAST_WORDS_MS, () => stderr.cancel());
      });
      const ended = Promise.all([
        child.status,
        readTail(readPipe(stderr, cut), request.onStderr),
        feed(child, request),
      ]);
      const [status, tail] = await Promise.race([ended, cut.promise]);
      if (status.signal !== null && !ownGroup) await Promise.race([later(OWN_SIGNAL_MS), cut.promise]);
      if (cut.isDue) await cut.promise;
      return { code: status.code, stderr: tail };
    } finally {
      hasEnded = true;
      lastWords?.[Symbol.dispose]();
      release();
    }
  })();
  // A caller that still reads stdout awaits `exit` later. Until then, a rejection must not count as unhandled.
  exit.catch(() => {});
  const leave = async () => {
    if (!hasEnded) end(new Error(`${describe(request)} was stopped: its output is not needed any more`));
    await exit.catch(() => {});
  };
  return { stdout: readOutput(readPipe(child.stdout.getReader({ mode: "byob" }), cut), limit, leave), exit };
}

/**
 * Returns the output and exit code of a program that is run to its end.
 *
 * @throws {FailedError} with code `TIMEOUT` or `OUTPUT_TOO_LARGE`; a non-zero exit is a result, not an error
 */
export async function runProcess(
  spawn: SpawnProcess,
  request: ProcessRequest,
): Promise<ProcessExit & { readonly stdout: Uint8Array }> {
  const process = spawn(request);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of process.stdout) {
    size += chunk.length;
    if (size > STDOUT_BYTES_MAX) {
      throw new FailedError(
        `Cannot use the output of ${describe(request)}: it is longer than ${STDOUT_BYTES_MAX} bytes`,
        { code: TOO_LARGE },
      );
    }
    chunks.push(chunk.slice());
  }
  return { ...await process.exit, stdout: concatenate(chunks) };
}

/** Whether {@link runProcess} failed because of an output of more than {@link STDOUT_BYTES_MAX}. */
export function isOutputTooLarge(error: unknown): boolean {
  return error instanceof FailedError && error.code === TOO_LARGE;
}

function start(request: ProcessRequest, ownGroup: boolean): Deno.ChildProcess {
  try {
    return new Deno.Command(request.command, {
      args: [...request.args],
      ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
      ...(request.env === undefined ? {} : { env: { ...request.env } }),
      detached: ownGroup,
      stdin: request.stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const [program] = redactArguments([request.command]);
    const { cwd } = request;
    const missingFolder = cwd !== undefined && ifFound(() => Deno.statSync(cwd))?.isDirectory !== true;
    throw new UsageError(
      missingFolder
        ? `Cannot run "${program}": its working directory ${cwd} does not exist`
        : `Cannot run "${program}": no such program on the PATH`,
      { code: "PROGRAM_MISSING", cause: error, hint: missingFolder ? undefined : PROGRAM_HINT },
    );
  }
}

async function feed(child: Deno.ChildProcess, request: ProcessRequest): Promise<void> {
  if (request.stdin === undefined) return;
  const bytes = typeof request.stdin === "string" ? new TextEncoder().encode(request.stdin) : request.stdin;
  const pieces = bytes instanceof Uint8Array ? [bytes] : bytes;
  const writer = child.stdin.getWriter();
  try {
    for await (const piece of pieces) await writer.write(piece);
    await writer.close();
  } catch (error) {
    // The child may end without reading all of its input. Its exit code is the answer.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal, ownGroup: boolean): void {
  try {
    if (ownGroup && mayKillGroups()) Deno.kill(-child.pid, signal);
    else child.kill(signal);
  } catch (error) {
    // It has already ended.
    if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Deno sends signals to processes other than its children only with the unscoped run permission. */
function mayKillGroups(): boolean {
  return Deno.permissions.querySync({ name: "run" }).state === "granted";
}

function timeoutError(request: ProcessRequest): FailedError {
  return new FailedError(
    `Cannot wait for ${describe(request)}: no end after ${formatDuration(request.timeoutMs)}`,
    {
      code: "TIMEOUT",
    },
  );
}

function describe({ title, command, args }: ProcessRequest): string {
  const words = redactArguments([command, ...args]).filter((word) => !word.startsWith("-"));
  return `"${title ?? words.slice(0, 3).join(" ")}"`;
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => onceAfter(ms, resolve));
}
