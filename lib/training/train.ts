import * as z from "zod";
import type { Context } from "../core/context.ts";
import { FailedError, UsageError } from "../core/errors.ts";
import { hideInStream } from "../core/hide_in_stream.ts";
import { parseJson } from "../core/json.ts";
import { redactArguments } from "../core/redact_arguments.ts";
import { Working } from "../core/working.ts";

/** The options for a training command. Its flags are those of the original scripts, passed on unchanged. */
export interface TrainingOptions {
  readonly paper: boolean;
  readonly symbols: readonly string[];
  readonly scope: "default" | "missing-only" | "all";
  readonly maxModelAgeHours: number | undefined;
}

export interface TrainingSettings {
  /** Program and arguments. */
  readonly command: readonly string[] | undefined;
  readonly timeoutMs: number;
  /** The folder for the trained models, passed on as `MODEL_SYNC_MODELS_DIR`. */
  readonly modelsDir: string;
}

/** Returns the flags for training options. */
function trainingFlags(options: TrainingOptions): string[] {
  return [
    ...(options.paper ? ["--paper"] : []),
    ...options.symbols.flatMap((symbol) => ["--symbol", symbol]),
    ...(options.scope === "missing-only" ? ["--train-missing-only"] : []),
    ...(options.scope === "all" ? ["--train-all"] : []),
    ...(options.maxModelAgeHours === undefined
      ? []
      : ["--max-model-age-hours", String(options.maxModelAgeHours)]),
  ];
}

/** Returns the whole training command. @throws {UsageError} code `TRAIN_COMMAND_MISSING` if none is configured */
export function trainingCommand(settings: TrainingSettings, options: TrainingOptions): string[] {
  if (settings.command === undefined || settings.command.length === 0) {
    throw new UsageError("Cannot train: model_sync.publisher.train_command is not set", {
      code: "TRAIN_COMMAND_MISSING",
      hint:
        "to write a configuration, run model-sync init git-trainer --repo-url ADDRESS --train-command COMMAND, or " +
        "model-sync init runpod-worker in the worker of a RunPod endpoint; " +
        'or set it, for example train_command: ["python3", "train.py"]; ' +
        "or use the existing models: with --skip-training, or publish with train_before_push: false",
    });
  }
  return [...settings.command, ...trainingFlags(options)];
}

/** The end of a training's output is kept, because it holds the counters. */
const TAIL_CHARS_MAX = 16 * 1024;

/**
 * Runs the training command, and passes its output on without known secrets. Needs the run permission.
 *
 * @returns the end of its standard output
 * @throws {FailedError} codes `TRAINING_FAILED`, `TIMEOUT`
 */
export async function train(
  context: Context,
  settings: TrainingSettings,
  options: TrainingOptions,
  output: (chunk: Uint8Array) => void,
): Promise<string> {
  const [command = "", ...args] = trainingCommand(settings, options);
  context.log.info(`training: ${redactArguments([command, ...args]).join(" ")}`);
  using _working = new Working(context, "training");
  const encoder = new TextEncoder();
  const [stdout, stderr] = [hideInStream(output), hideInStream(output)];
  const process = context.spawn({
    command,
    args,
    env: { ...context.env.toObject(), MODEL_SYNC_MODELS_DIR: settings.modelsDir },
    timeoutMs: settings.timeoutMs,
    signal: context.signal,
    onStderr: (text) => stderr.write(encoder.encode(text)),
  });
  const decoder = new TextDecoder();
  let tail = "";
  let code: number;
  try {
    for await (const chunk of process.stdout) {
      stdout.write(chunk);
      tail = (tail + decoder.decode(chunk, { stream: true })).slice(-TAIL_CHARS_MAX);
    }
    code = (await process.exit).code;
  } finally {
    stdout.end();
    stderr.end();
  }
  if (code === 0) return tail;
  throw new FailedError(
    `Cannot train: the training command ${redactArguments([command]).join()} ended with exit code ${code}`,
    {
      code: "TRAINING_FAILED",
      hint: "see its output above; no release was made",
    },
  );
}

const Count = z.number().int().min(0).nullable().default(null).catch(null);

const Counts = z.object({
  symbols_requested: Count,
  symbols_queued_for_training: Count,
  symbols_trained: Count,
  symbols_skipped_up_to_date: Count,
  symbols_skipped_errors: Count,
});
/** The counters that a training command reports; `null` for those that it does not. */
export type TrainingCounts = Readonly<z.infer<typeof Counts>>;

/**
 * Returns the counters that a training command may print as a JSON object on a separate line. The last such line counts.
 * A command need not print any.
 *
 * @param tail the end of its standard output
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readTrainingCounts } from "./train.ts";
 * const counts = readTrainingCounts('epoch 3\n{"symbols_requested": 2, "symbols_trained": 1}\ndone\n');
 * assert.deepEqual([counts.symbols_requested, counts.symbols_trained], [2, 1]);
 * assert.equal(readTrainingCounts("done\n").symbols_trained, null);
 * ```
 */
export function readTrainingCounts(tail: string): TrainingCounts {
  for (const line of tail.split("\n").reverse()) {
    const counts = parseLine(line.trim());
    if (counts !== undefined && Object.values(counts).some((count) => count !== null)) return counts;
  }
  return Counts.parse({});
}

function parseLine(line: string): TrainingCounts | undefined {
  return line.startsWith("{") ? Counts.safeParse(parseJson(line)).data : undefined;
}
