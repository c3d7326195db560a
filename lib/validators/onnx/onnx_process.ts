import { fileURLToPath } from "node:url";
import { cleanLine } from "../../core/clean_text.ts";
import type { Clock } from "../../core/clock.ts";
import type { Context } from "../../core/context.ts";
import { FailedError } from "../../core/errors.ts";
import { formatDuration } from "../../core/format.ts";
import { denoVariables } from "../../core/launcher_variables.ts";
import { SOURCE_ROOT } from "../../core/source_root.ts";
import { TRY_ONNX } from "./try_onnx.ts";
import { STARTED, TryAnswer, type TryRequest } from "./try_protocol.ts";

/** An answer is a line with drifts and notes for each output. */
const ANSWER_CHARS_MAX = 16 * 1024 * 1024;

/** From source, the first start downloads 32 MB. Over a line of 1 Mbit/s that takes half of this. */
const START_TIMEOUT_MS = 10 * 60_000;

/** The exit code of a process that the system kills for its memory: 128 and the number of SIGKILL. */
const KILLED = 137;

/** The last line of a crashed process is shortened to this. */
const REASON_CHARS_MAX = 300;

/** The outcome of trying a model. */
export type Trial =
  | Exclude<TryAnswer, { readonly outcome: "unable" }>
  | { readonly outcome: "too slow" }
  /** The process ended without an answer, mostly because memory was short. */
  | { readonly outcome: "crashed"; readonly reason: string };

/**
 * Loads and computes a model with ONNX Runtime in a process of its own, which is killed after the time limit: terminating
 * a worker or aborting a signal does not stop WebAssembly in an endless loop. The process may read files and nothing
 * else. Needs run permission for Deno, or for the executable.
 *
 * @param timeoutMs the limit for the model. The start of the runtime has a limit of its own
 * @throws {FailedError} when ONNX Runtime cannot be started, which is not the model's fault
 */
export async function tryInProcess(
  context: Pick<Context, "spawn" | "signal" | "env" | "clock">,
  request: TryRequest,
  timeoutMs: number,
): Promise<Trial> {
  const { command, args } = program();
  const done = new AbortController();
  const late = new AbortController();
  const process = context.spawn({
    command,
    args,
    title: "ONNX Runtime",
    env: denoVariables(context.env),
    stdin: JSON.stringify(request),
    timeoutMs: START_TIMEOUT_MS + timeoutMs,
    signal: AbortSignal.any([context.signal, late.signal]),
  });
  const decoder = new TextDecoder();
  let printed = "";
  let timer: Promise<void> | undefined;
  try {
    for await (const piece of process.stdout) {
      // The excess is read and dropped: a full pipe would block the process.
      if (printed.length <= ANSWER_CHARS_MAX) printed += decoder.decode(piece, { stream: true });
      if (printed.startsWith(STARTED)) timer ??= abortAfter(context.clock, timeoutMs, late, done.signal);
    }
    const { code, stderr } = await process.exit;
    const [first, ...lines] = printed.trimEnd().split("\n");
    const reason = lastLine(stderr) ?? (code === KILLED ? "the system killed it" : `exit code ${code}`);
    if (first !== STARTED) throw unable(reason);
    if (printed.length > ANSWER_CHARS_MAX) {
      return { outcome: "crashed", reason: `it printed more than ${ANSWER_CHARS_MAX} characters` };
    }
    if (code !== 0) return { outcome: "crashed", reason };
    const answer = TryAnswer.parse(JSON.parse(lines.at(-1) ?? ""));
    if (answer.outcome === "unable") throw unable(answer.reason);
    return answer;
  } catch (error) {
    if (late.signal.aborted) return { outcome: "too slow" };
    if (!(error instanceof FailedError) || error.code !== "TIMEOUT") throw error;
    throw unable(`it did not start within ${formatDuration(START_TIMEOUT_MS)}`);
  } finally {
    done.abort();
    await timer;
  }
}

/** Aborts `late` after the time, unless `done` is aborted before. */
function abortAfter(
  clock: Clock,
  durationMs: number,
  late: AbortController,
  done: AbortSignal,
): Promise<void> {
  return clock.sleep(durationMs, done).then(() => late.abort(), () => {
    // The process has ended in time.
  });
}

function unable(reason: string): FailedError {
  return new FailedError(`Cannot start ONNX Runtime: ${reason}`, {
    code: "ONNX_RUNTIME",
    hint: "the models were not tried; the active release is untouched",
  });
}

function lastLine(text: string): string | undefined {
  const line = text.trimEnd().split("\n").at(-1);
  return line === undefined || line === "" ? undefined : cleanLine(line, { charsMax: REASON_CHARS_MAX });
}

/** The executable starts itself; from source, Deno runs `try_onnx.ts`: a file, or an address of a package registry. */
function program(): { readonly command: string; readonly args: readonly string[] } {
  if (Deno.build.standalone) return { command: Deno.execPath(), args: [TRY_ONNX] };
  const { href, protocol } = new URL("lib/validators/onnx/try_onnx.ts", SOURCE_ROOT);
  const entry = protocol === "file:" ? fileURLToPath(href) : href;
  return { command: Deno.execPath(), args: ["run", "-q", "--no-prompt", "--allow-read", entry] };
}
