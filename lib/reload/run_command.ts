import type { CommandHook } from "../config/sections/reload.ts";
import { cleanLine } from "../core/clean_text.ts";
import type { Context } from "../core/context.ts";
import { FailedError, TransientError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { redactArguments } from "../core/redact_arguments.ts";
import { withRetry } from "../core/retry.ts";
import { excerptChanges, type ReloadNotification, reloadRetries } from "./reload_notification.ts";

/** A reload prints some lines. A program that prints more has a log of its own. */
const LINES_MAX = 200;
const LINE_CHARS_MAX = 500;
/** More is kept than shown, so that no secret is cut in half before it is hidden. */
const PENDING_CHARS_MAX = 16 * 1024;

/**
 * Runs the configured program and waits for its end; its output goes to the log. The program gets the notification as
 * `MODEL_SYNC_EVENT`, `MODEL_SYNC_DIGEST`, `MODEL_SYNC_PREVIOUS` (empty without one), `MODEL_SYNC_MODELS_DIR`,
 * `MODEL_SYNC_RELEASE_DIR` and `MODEL_SYNC_CHANGED`, which is JSON. Exit code 0 means that the consumer has reloaded.
 */
export async function runCommand(
  context: Context,
  hook: CommandHook,
  notification: ReloadNotification,
): Promise<void> {
  await withRetry(context, reloadRetries(hook), () => runOnce(context, hook, notification));
}

async function runOnce(context: Context, hook: CommandHook, notification: ReloadNotification): Promise<void> {
  const [command = "", ...args] = hook.command;
  const printed = new LoggedLines(context.log);
  const failed = new LoggedLines(context.log);
  const process = context.spawn({
    command,
    args,
    env: { ...context.env.toObject(), ...variables(notification) },
    timeoutMs: hook.timeout_seconds * 1000,
    signal: context.signal,
    onStderr: (text) => failed.add(text),
  });
  const decoder = new TextDecoder();
  try {
    for await (const piece of process.stdout) printed.add(decoder.decode(piece, { stream: true }));
    const { code } = await process.exit;
    printed.end();
    failed.end();
    if (code === 0) return;
    const [program] = redactArguments([command]);
    const said = failed.last === "" ? "" : `: ${failed.last}`;
    throw new TransientError(`${program} ended with exit code ${code}${said}`, {
      code: "COMMAND_FAILED",
      hint: "see its output above",
    });
  } catch (error) {
    if (!(error instanceof FailedError) || error.code !== "TIMEOUT") throw error;
    throw new TransientError(error.message, {
      code: error.code,
      cause: error,
      hint: "raise timeout_seconds",
    });
  }
}

function variables(notification: ReloadNotification): Record<string, string> {
  return {
    MODEL_SYNC_EVENT: notification.event,
    MODEL_SYNC_DIGEST: notification.digest,
    MODEL_SYNC_PREVIOUS: notification.previous ?? "",
    MODEL_SYNC_MODELS_DIR: notification.modelsDir,
    MODEL_SYNC_RELEASE_DIR: notification.releaseDir,
    MODEL_SYNC_CHANGED: JSON.stringify(excerptChanges(notification.changes)),
  };
}

/** Logs the output of a program line by line, up to a limit. */
class LoggedLines {
  readonly #log: Log;
  #pending = "";
  #count = 0;
  /** The last line that was not empty. */
  last = "";

  constructor(log: Log) {
    this.#log = log;
  }

  add(text: string): void {
    const lines = (this.#pending + text).split(/\r?\n/);
    this.#pending = (lines.pop() ?? "").slice(0, PENDING_CHARS_MAX);
    for (const line of lines) this.#put(line);
  }

  end(): void {
    this.#put(this.#pending);
    this.#pending = "";
  }

  #put(line: string): void {
    if (line.trim() === "") return;
    this.last = cleanLine(line, { charsMax: LINE_CHARS_MAX });
    this.#count++;
    if (this.#count <= LINES_MAX) this.#log.info(`[MODEL-RELOAD] ${this.last}`);
    if (this.#count === LINES_MAX + 1) this.#log.info("[MODEL-RELOAD] more output is not shown");
  }
}
