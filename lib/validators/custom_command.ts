import { cleanLine } from "../core/clean_text.ts";
import type { Context } from "../core/context.ts";
import { FailedError, RefusedError } from "../core/errors.ts";
import { redactArguments } from "../core/redact_arguments.ts";
import type { ProcessRequest } from "../core/subprocess.ts";
import { Working } from "../core/working.ts";
import { InvalidModelError } from "./invalid_model.ts";
import { protectTree } from "./protect_tree.ts";
import { separateTree } from "./separate_tree.ts";
import { firstChange, snapshotTree } from "./tree_snapshot.ts";

/** What a command prints beyond this many lines is for its own log file. */
const LOGGED_LINES_MAX = 1_000;

/** A longer line is data. */
const LINE_CHARS_MAX = 1_000;

/** More is kept than shown, so that no secret is cut before it is blanked out. */
const PENDING_CHARS_MAX = 16 * 1024;

/** The end of the output is what says why, and an error is a line. */
const TOLD_LINES = 3;

export interface CustomCommand {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
  /** The release, where it is assembled. */
  readonly dir: string;
  readonly digest: string;
  /** Where the active release is; missing when there is none. */
  readonly activeDir: string | undefined;
}

/**
 * Runs the user's own validator. It gets the folder of the release as its last argument and as `MODEL_SYNC_FOLDER`, its
 * name as `MODEL_SYNC_DIGEST`, and the active release's folder as `MODEL_SYNC_ACTIVE_FOLDER` (empty when there is none).
 * The folder is read-only as far as the file system and the user allow, and is compared afterwards; where they do not, it
 * is one that shares no file with the active release. What the command prints goes to the log. Needs the run permission, and write permission for the folder.
 *
 * @throws {InvalidModelError} when it ends with another exit code than 0
 * @throws {RefusedError} codes `VALIDATE_COMMAND_TIMEOUT`, `VALIDATE_COMMAND_WROTE`: that says nothing about the release
 * @throws {UsageError} when there is no such program
 */
export async function runCustomCommand(context: Context, custom: CustomCommand): Promise<void> {
  const [command = "", ...args] = custom.command;
  const title = redactArguments([command, ...args]).join(" ");
  context.log.info(`validating with ${title}`);
  await using separate = await separateTree(context, custom.dir);
  const { dir } = separate;
  using _protected = protectTree(context.fs, dir);
  const before = snapshotTree(context.fs, dir);
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
  const change = firstChange(before, snapshotTree(context.fs, dir));
  if (change !== undefined) {
    throw new RefusedError(`Cannot activate the release: validate_command changed it: ${change}`, {
      code: "VALIDATE_COMMAND_WROTE",
      hint: dir === custom.dir
        ? "let it write elsewhere, then pull again; model-sync verify --deep looks for harm to the active release"
        : "let it write elsewhere, then pull again; the active release is untouched",
    });
  }
  if (code === 0) return;
  throw new InvalidModelError("", `validate_command ended with exit code ${code}${output.told()}`, {
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
      } s${output.told()}`,
      {
        code: "VALIDATE_COMMAND_TIMEOUT",
        cause: error,
        hint:
          "raise activation.validate.validate_timeout_seconds if it needs more; the active release is untouched",
      },
    );
  } finally {
    output.end();
  }
}

/** The lines that a command prints: to the log, and the last ones for the error. */
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
    // A line that does not end is cut, so that it is not kept whole.
    this.#rest[stream] = (lines.pop() ?? "").slice(0, PENDING_CHARS_MAX);
    for (const line of lines) this.#tell(line);
  }

  /** Nothing more comes: what did not end with a newline is a line, too. */
  end(): void {
    for (const stream of ["stdout", "stderr"] as const) {
      this.#tell(this.#rest[stream]);
      this.#rest[stream] = "";
    }
  }

  /** The end of it, to be added to a sentence. */
  told(): string {
    return this.#last.length === 0 ? "" : `: ${this.#last.join(" / ")}`;
  }

  #tell(line: string): void {
    if (line.trim() === "") return;
    const shown = cleanLine(line, { charsMax: LINE_CHARS_MAX });
    this.#last = [...this.#last, shown].slice(-TOLD_LINES);
    this.#count++;
    if (this.#count <= LOGGED_LINES_MAX) this.#context.log.info(`validate_command: ${shown}`);
    else if (this.#count === LOGGED_LINES_MAX + 1) {
      this.#context.log.warn(`validate_command: what it prints after ${LOGGED_LINES_MAX} lines is not shown`);
    }
  }
}
