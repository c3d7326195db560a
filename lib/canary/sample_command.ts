import type { CanaryMetric } from "../config/sections/canary.ts";
import { cleanLine } from "../core/clean_text.ts";
import type { Context } from "../core/context.ts";
import { noData, type Reading, readJsonNumber, readNumber } from "./reading.ts";

/** The end of the output that is kept: the number is there. */
const OUTPUT_CHARS_MAX = 1024 * 1024;

/** The length of the quoted error output in a message. */
const QUOTED_CHARS_MAX = 200;

/**
 * Returns the number that a command prints: its last line, or a value in JSON, which is the whole output or its last
 * line. Needs the run permission.
 *
 * @throws {FailedError} code `TIMEOUT`; `UsageError` code `PROGRAM_MISSING`
 */
export async function sampleCommand(
  context: Context,
  metric: CanaryMetric & { readonly type: "command" },
  timeoutMs: number,
): Promise<Reading> {
  const [command = "", ...args] = metric.command;
  const process = context.spawn({
    command,
    args,
    title: `the metric ${metric.name}`,
    env: context.env.toObject(),
    timeoutMs,
    signal: context.signal,
  });
  const decoder = new TextDecoder();
  let output = "";
  for await (const piece of process.stdout) {
    output = (output + decoder.decode(piece, { stream: true })).slice(-OUTPUT_CHARS_MAX);
  }
  const { code, stderr } = await process.exit;
  if (code !== 0) {
    const complaint = cleanLine(lastLine(stderr), { charsMax: QUOTED_CHARS_MAX });
    return noData(`the command ended with exit code ${code}${complaint === "" ? "" : `: ${complaint}`}`);
  }
  if (metric.path === undefined) return readNumber(lastLine(output));
  const whole = readJsonNumber(output, metric.path);
  return whole.kind === "no-data" ? readJsonNumber(lastLine(output), metric.path) : whole;
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}
