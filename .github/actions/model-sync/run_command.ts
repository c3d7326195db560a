import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { suggestion } from "../../../lib/config/complaints.ts";
import { messageOf, ModelSyncError, UsageError } from "../../../lib/core/errors.ts";
import { cleanLine } from "../../../lib/core/clean_text.ts";
import { rememberSecret } from "../../../lib/core/known_secrets.ts";
import { type Ending, type Failure, outputsOf, parseFailure, parsePrinted, problemOf } from "./result.ts";
import { renderSummary } from "./summary.ts";
import { splitWords } from "./words.ts";
import { commandLine, type Fence, outputLines, secretValues, shownOnly } from "./workflow_commands.ts";
import { writeLine } from "../../../lib/core/files.ts";

/** The repository of which this action is a part. */
const PROJECT = fileURLToPath(new URL("../../../", import.meta.url));

/** A dry run that lists 100,000 models with their changed fields prints less. */
const PRINTED_BYTES_MAX = 64 * 1024 * 1024;

/** A longer line cannot be an error object: its message and hint have at most 4,000 characters each. */
const LINE_CHARS_MAX = 64 * 1024;

const Tasks = z.object({
  tasks: z.record(z.string(), z.union([z.string(), z.object({ command: z.string() })])),
});

/**
 * Returns the arguments of Deno that run a command under its own permission set, as its task in `deno.json` does.
 *
 * @throws {UsageError} code `COMMAND_UNKNOWN`
 */
export function denoArguments(command: string, args: readonly string[]): string[] {
  const { tasks } = Tasks.parse(JSON.parse(Deno.readTextFileSync(join(PROJECT, "deno.json"))));
  const commands = Object.entries(tasks).flatMap(([name, task]) => {
    const words = (typeof task === "string" ? task : task.command).split(" ");
    return words[0] === "deno" && words.includes(`-P=${name}`) && words.at(-1)?.startsWith("cli/") === true &&
        name !== "model-sync"
      ? [[name, words] as const]
      : [];
  });
  const words = new Map(commands).get(command);
  if (words === undefined) {
    const names = commands.map(([name]) => name);
    const problem = `there is no such command${suggestion(command, names)}`;
    throw new UsageError(`Cannot run the input command ${JSON.stringify(command)}: ${problem}`, {
      code: "COMMAND_UNKNOWN",
      hint: `use one of ${names.join(", ")}`,
    });
  }
  const [, run = "run", ...options] = words;
  const script = options.pop() ?? "";
  return [run, "--config", join(PROJECT, "deno.json"), ...options, join(PROJECT, script), ...args];
}

/** Returns the options that make a command print its result as JSON and its log as text. */
function outputOptions(args: readonly string[]): string[] {
  const given = (...names: readonly string[]) =>
    args.some((arg) => names.some((name) => arg === name || arg.startsWith(`${name}=`)));
  return [
    ...(given("--json", "--output", "-o") ? [] : ["--json"]),
    ...(given("--log-format") ? [] : ["--log-format", "text"]),
  ];
}

/** Runs the command of the inputs. @returns its exit code */
async function run(variables: Readonly<Record<string, string>>): Promise<number> {
  for (const secret of secretValues(variables)) {
    rememberSecret(secret);
    print(commandLine("add-mask", secret));
  }
  const command = variables["MODEL_SYNC_ACTION_COMMAND"]?.trim() ?? "";
  const ending = await endingOf(command, variables["MODEL_SYNC_ACTION_ARGS"] ?? "");
  report(command, ending, variables);
  return ending.exitCode;
}

async function endingOf(command: string, args: string): Promise<Ending> {
  try {
    const words = splitWords(args);
    return await runDeno(denoArguments(command, [...words, ...outputOptions(words)]));
  } catch (error) {
    if (!(error instanceof ModelSyncError)) throw error;
    const { code, message, hint, exitCode } = error;
    const unknown = { outcome: undefined, release: undefined, sequence: undefined };
    return { exitCode, ...parsePrinted(""), failure: { code, message, hint, exitCode, ...unknown } };
  }
}

/** Runs Deno, and shows its log and its result. */
async function runDeno(args: readonly string[]): Promise<Ending> {
  const fence = shownOnly(crypto.randomUUID());
  print(fence.start);
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  using _signals = passSignalsOn(child);
  const [text, failure, { code }] = await Promise.all([
    readPrinted(child.stdout),
    relayLog(child.stderr),
    child.status,
  ]);
  print(fence.end);
  const printed = parsePrinted(text);
  if (text !== "") showPrinted(printed, fence);
  return { exitCode: code, ...printed, failure };
}

/** Shows the result, folded if it is JSON. */
function showPrinted({ printed, result }: Pick<Ending, "printed" | "result">, fence: Fence): void {
  if (result !== undefined) print(commandLine("group", "Result"));
  print(fence.start);
  print(result === undefined ? printed.trimEnd() : JSON.stringify(JSON.parse(printed), undefined, 2));
  print(fence.end);
  if (result !== undefined) print(commandLine("endgroup", ""));
}

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

/** Passes a signal to the command, which ends by itself. A cancelled job gets SIGINT, and SIGTERM 7.5 seconds later. */
function passSignalsOn(child: Deno.ChildProcess): Disposable {
  const listeners = SIGNALS.map((signal) => {
    const listener = () => {
      try {
        child.kill(signal);
      } catch {
        // It has ended already.
      }
    };
    Deno.addSignalListener(signal, listener);
    return [signal, listener] as const;
  });
  return {
    [Symbol.dispose]: () => {
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}

async function readPrinted(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const decoder = new TextDecoder();
  let printed = "";
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > PRINTED_BYTES_MAX) continue;
    printed += decoder.decode(chunk, { stream: true });
  }
  return bytes > PRINTED_BYTES_MAX ? "" : printed;
}

/** Shows log lines as they arrive. @returns the error object, which is not shown as a line */
async function relayLog(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Failure | undefined> {
  let failure: Failure | undefined;
  let rest = "";
  const show = (line: string) => {
    const parsed = parseFailure(line);
    if (parsed === undefined) print(line);
    else failure = parsed;
  };
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) show(line);
    // A progress bar without line ends.
    if (rest.length > LINE_CHARS_MAX) {
      print(rest);
      rest = "";
    }
  }
  if (rest !== "") show(rest);
  return failure;
}

/** Writes summary and outputs, and shows a failure on the page of the run. */
function report(command: string, ending: Ending, variables: Readonly<Record<string, string>>): void {
  const { exitCode, failure } = ending;
  const name = cleanLine(command, { charsMax: 60 });
  const summary = renderSummary(name, ending);
  const stepSummary = variables["GITHUB_STEP_SUMMARY"];
  if (stepSummary !== undefined) appendFileSync(stepSummary, summary);
  const outputFile = variables["GITHUB_OUTPUT"];
  if (outputFile !== undefined) {
    const outputs = { ...outputsOf(ending), "summary-file": keepSummary(summary, variables["RUNNER_TEMP"]) };
    const delimiter = `end-${crypto.randomUUID()}`;
    const lines = Object.entries(outputs).map(([output, value]) => outputLines(output, value, delimiter));
    appendFileSync(outputFile, lines.join(""));
  }
  if (exitCode === 0) return;
  const { message, hint } = problemOf(ending);
  const text = hint === undefined ? message : `${message}\nNext: ${hint}`;
  print(commandLine("error", text, `model-sync ${name}${failure === undefined ? "" : `: ${failure.code}`}`));
}

/** A later step cannot read this step's GITHUB_STEP_SUMMARY. */
function keepSummary(summary: string, folder: string | undefined): string {
  const path = Deno.makeTempFileSync({
    prefix: "model-sync-summary-",
    suffix: ".md",
    ...(folder === undefined ? {} : { dir: folder }),
  });
  Deno.writeTextFileSync(path, summary);
  return path;
}

/** Everything goes to one stream, so that the runner gets commands and log in their order. */
function print(line: string): void {
  writeLine(Deno.stdout, line);
}

if (import.meta.main) {
  try {
    Deno.exit(await run(Deno.env.toObject()));
  } catch (error) {
    print(commandLine("error", `The action failed: ${messageOf(error)}`, "model-sync"));
    Deno.exit(1);
  }
}
