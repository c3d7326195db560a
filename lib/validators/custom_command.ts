import { cleanLine } from "../core/clean_text.ts";
import type { Context } from "../core/context.ts";
import { FailedError, RefusedError } from "../core/errors.ts";
import { redactArguments } from "../core/redact_arguments.ts";
import type { ProcessRequest } from "../core/subprocess.ts";
import { Working } from "../core/working.ts";
import { guardFolder } from "./guarded_folder.ts";
import { InvalidModelError } from "./invalid_model.ts";

/** A command that prints more lines should write a log file of its own. */
const LOGGED_LINES_MAX = 1_000;

/** A longer line is data, not a message. */
const LINE_CHARS_MAX = 1_000;

/** More is kept of a line than is shown: a secret that is cut in half would not be recognised and hidden. */
const PENDING_CHARS_MAX = 16 * 1024;

/** The last lines of the output, which mostly hold the reason, are quoted in the error. */
const QUOTED_LINES = 3;

export interface CustomCommand {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
  /** The folder of the staged release. */
  readonly dir: string;
  readonly digest: string;
  /** The folder of the active release; `undefined` when there is none. */
  readonly activeDir: string | undefined;
}

/**
 * Runs the user's own validator. It gets the folder of the release as its last argument and as `MODEL_SYNC_FOLDER`, its
 * digest as `MODEL_SYNC_DIGEST`, and the active release's folder as `MODEL_SYNC_ACTIVE_FOLDER` (empty when there is none).
 * The folder is read-only where modes allow it, and checked for changes afterwards (`guarded_folder.ts`). The output of
 * the command goes to the log. Needs the run permission, and write permission for the folder.
 *
 * @throws {InvalidModelError} for any exit code but 0
 * @throws {RefusedError} codes `VALIDATE_COMMAND_TIMEOUT` and `VALIDATE_COMMAND_WROTE`, which do not condemn the release
 * @throws {UsageError} when the program does not exist
 */
export async function runCustomCommand(context: Context, custom: CustomCommand): Promise<void> {
  const [command = "", ...args] = custom.command;
  const title = redactArguments([command, ...args]).join(" ");
  context.log.info(`validating with ${title}`);
  await using folder = await guardFolder(context, custom.dir);
  const { dir } = folder;
  const output = new CommandOutput(context);
  const code = await run(context, custom, output, {
    command,
    args: [...args, dir],
    title,
    env: {
      MODEL_SYNC_FOLDER: dir,
      MODEL_SYNC_DIGEST: custom.digest,
      MODEL_SYNC_ACTIVE_FOLDER: custom.activeDir ?? "",
    },
    timeoutMs: custom.timeoutMs,
    signal: context.signal,
  });
  const change = folder.firstChange();
  if (change !== undefined) {
    throw new RefusedError(`Cannot activate the release: validate_command changed its files: ${change}`, {
      code: "VALIDATE_COMMAND_WROTE",
      hint: dir === custom.dir
        ? "make it write elsewhere and pull again; model-sync verify --deep checks the active release for damage"
        : "make it write elsewhere and pull again; the active release is untouched",
    });
  }
  if (code === 0) return;
  throw new InvalidModelError("", `validate_command ended with exit code ${code}${output.lastLines()}`, {
    hint: "see its output above; the active release is untouched",
  });
}

async function run(
  context: Context,
  custom: CustomCommand,
  output: CommandOutput,
  request: ProcessRequest,
): Promise<number> {
  using _working = new Working(context, "validate_command");
  try {
    const process = context.spawn({ ...request, onStderr: (text) => output.add("stderr", text) });
    const decoder = new TextDecoder();
    for await (const piece of process.stdout) output.add("stdout", decoder.decode(piece, { stream: true }));
    return (await process.exit).code;
  } catch (error) {
    if (!(error instanceof FailedError) || error.code !== "TIMEOUT") throw error;
    output.end();
    throw new RefusedError(
      `Cannot activate the release: validate_command did not end within ${
        custom.timeoutMs / 1000
      } s${output.lastLines()}`,
      {
        code: "VALIDATE_COMMAND_TIMEOUT",
        cause: error,
        hint:
          "raise activation.validate.validate_timeout_seconds if it needs more time; the active release is untouched",
      },
    );
  } finally {
    output.end();
  }
}

/** Logs the lines that a command prints, and keeps the last ones for the error. */
class CommandOutput {
  readonly #context: Context;
  readonly #rest = { stdout: "", stderr: "" };
  #count = 0;
  #last: string[] = [];

  constructor(context: Context) {
    this.#context = context;
  }

  add(stream: "stdout" | "stderr", text: string): void {
    const lines = (this.#rest[stream] + text).split(/\r?\n/);
    // An endless line is cut: memory is bounded.
    this.#rest[stream] = (lines.pop() ?? "").slice(0, PENDING_CHARS_MAX);
    for (const line of lines) this.#log(line);
  }

  /** Ends the output: the rest without a newline is a line, too. */
  end(): void {
    for (const stream of ["stdout", "stderr"] as const) {
      this.#log(this.#rest[stream]);
      this.#rest[stream] = "";
    }
  }

  /** The last lines, to be appended to a sentence. */
  lastLines(): string {
    return this.#last.length === 0 ? "" : `: ${this.#last.join(" / ")}`;
  }

  #log(line: string): void {
    if (line.trim() === "") return;
    const shown = cleanLine(line, { charsMax: LINE_CHARS_MAX });
    this.#last = [...this.#last, shown].slice(-QUOTED_LINES);
    this.#count++;
    if (this.#count <= LOGGED_LINES_MAX) this.#context.log.info(`validate_command: ${shown}`);
    else if (this.#count === LOGGED_LINES_MAX + 1) {
      this.#context.log.warn(`validate_command: its output after ${LOGGED_LINES_MAX} lines is not shown`);
    }
  }
}
