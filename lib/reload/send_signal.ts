import type { SignalHook } from "../config/sections/reload.ts";
import type { Context } from "../core/context.ts";
import { FailedError, TransientError } from "../core/errors.ts";
import { type FileSystem, ifFound } from "../core/files.ts";
import { quote } from "../core/quote.ts";
import { withRetry } from "../core/retry.ts";
import { reloadRetries } from "./reload_notification.ts";

/** On Linux, a pid has at most seven digits; plus a line end. */
const PID_BYTES_MAX = 32;

/** 1 is init, or the main process of a container; 0 and below address process groups. */
const PID_MIN = 2;

/**
 * Sends a signal to the process of a pid file. Whether the process has reloaded is unknown. A process that is just
 * restarting is tried again.
 */
export async function sendSignal(context: Context, hook: SignalHook): Promise<void> {
  await withRetry(context, reloadRetries(hook), () => {
    kill(readPid(context.fs, hook.pid_file), hook, hook.signal);
    return Promise.resolve();
  });
}

/**
 * Returns the process that would get the signal. Sends signal 0, which only checks that it exists (`kill(2)`).
 *
 * @throws {FailedError} code `PID_INVALID` or `SIGNAL_FORBIDDEN`; {@link TransientError} code `PROCESS_MISSING`
 */
export function findProcess(fs: FileSystem, hook: SignalHook): number {
  const pid = readPid(fs, hook.pid_file);
  kill(pid, hook, 0);
  return pid;
}

function readPid(fs: FileSystem, path: string): number {
  const content = ifFound(() => readStart(fs, path));
  if (content === undefined) throw absent(`${path} does not exist`);
  const pid = /^\s*\d{1,10}\s*$/.test(content) ? Number(content) : NaN;
  if (pid >= PID_MIN && pid !== Deno.pid) return pid;
  throw new FailedError(`${path} holds ${quote(content)}, which is not the pid of another process`, {
    code: "PID_INVALID",
    hint: "check activation.reload: pid_file is the file in which the service keeps its process id",
  });
}

/** Reads the beginning of a file. Opening a pipe would wait for its writer, so only regular files are read. */
function readStart(fs: FileSystem, path: string): string {
  if (!fs.statSync(path).isFile) {
    throw new FailedError(`${path} is not a file`, { code: "PID_INVALID" });
  }
  using file = fs.openSync(path, { read: true });
  const buffer = new Uint8Array(PID_BYTES_MAX);
  return new TextDecoder().decode(buffer.subarray(0, file.readSync(buffer) ?? 0));
}

function kill(pid: number, hook: SignalHook, signal: Deno.Signal | 0): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw absent(`process ${pid} does not exist`);
    if (!(error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable)) {
      throw error;
    }
    throw new FailedError(`${hook.signal} to process ${pid} is not permitted`, {
      code: "SIGNAL_FORBIDDEN",
      cause: error,
      hint: "run as the user of the service, or with the run permission if it was narrowed",
    });
  }
}

function absent(problem: string): TransientError {
  return new TransientError(problem, { code: "PROCESS_MISSING", hint: "is the service running?" });
}
