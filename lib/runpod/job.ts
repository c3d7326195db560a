import { cleanLine } from "../core/clean_text.ts";
import { jsonText, parseJson } from "../core/json.ts";

/** What a job's status means to somebody who waits for it. */
export type JobPhase = "waiting" | "succeeded" | "failed";

/** What an answer of the API says of a job. */
export interface JobReport {
  readonly id: string | undefined;
  /** In upper case, as it came. */
  readonly status: string | undefined;
  /** `undefined` where the answer has no status. */
  readonly phase: JobPhase | undefined;
  readonly archiveUrl: string | undefined;
  /** The progress that a running job reports, in one clean line. */
  readonly progress?: string | undefined;
  /** What went wrong, as the job tells it. */
  readonly error: string | undefined;
}

const ID_PATHS = ["id", "job_id", "requestId"];
const STATUS_PATHS = ["status", "state"];

/** Every status that is documented is a word; what a stranger sends is logged, too. */
const STATUS_CHARS_MAX = 40;
/** A line of progress beside the status. */
const PROGRESS_CHARS_MAX = 100;
const ERROR_PATHS = ["error", "output.error", "message"];
const URL_NAMES = ["models_archive_url", "model_archive_url", "download_url"];
/** The last is where a worker that streams has its result: the output is then a list. */
const URL_PATHS = ["output.", "", "output.0."].flatMap((prefix) => URL_NAMES.map((name) => prefix + name));

const SUCCEEDED = ["COMPLETED", "SUCCEEDED", "SUCCESS"];
const FAILED = ["FAILED", "ERROR", "CANCELED", "CANCELLED", "TIMED_OUT", "TIMEOUT"];

/** Identifiers of RunPod have under 60 characters; a manifest's revision has room for 200. */
const ID_CHARS_MAX = 200;

/** As much as a line on a terminal or in the history bears. */
const ERROR_CHARS_MAX = 500;

/**
 * Reads what an API says of a job, wherever in its answer that stands: the shapes of RunPod and of what stands in for
 * it. A status that is not known (`IN_QUEUE`, `IN_PROGRESS`, `RUNNING` and others) means that the job goes on.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readJob } from "./job.ts";
 * const job = readJob({ id: "a-u1", status: "COMPLETED", output: { models_archive_url: "https://b.example/m.zip" } });
 * assert.deepEqual([job.id, job.phase, job.archiveUrl], ["a-u1", "succeeded", "https://b.example/m.zip"]);
 * assert.equal(readJob({ job_id: 7, state: "running" }).phase, "waiting");
 * ```
 */
export function readJob(answer: unknown): JobReport {
  const status = firstText(answer, STATUS_PATHS)?.slice(0, STATUS_CHARS_MAX).toUpperCase();
  const id = firstText(answer, ID_PATHS);
  const phase = status === undefined ? undefined : phaseOf(status);
  const progress = phase === "waiting" ? firstText(answer, ["output"]) : undefined;
  return {
    id: id === undefined || id.length > ID_CHARS_MAX ? undefined : id,
    status,
    phase,
    ...(progress === undefined ? {} : { progress: cleanLine(progress, { charsMax: PROGRESS_CHARS_MAX }) }),
    archiveUrl: firstText(answer, URL_PATHS),
    error: firstError(answer),
  };
}

function phaseOf(status: string): JobPhase {
  if (SUCCEEDED.includes(status)) return "succeeded";
  return FAILED.includes(status) ? "failed" : "waiting";
}

/** The first of the paths that leads to a text that is not blank, or to a number. */
function firstText(answer: unknown, paths: readonly string[]): string | undefined {
  for (const path of paths) {
    const value = valueAt(answer, path);
    if (typeof value !== "string" && typeof value !== "number") continue;
    const text = String(value).trim();
    if (text !== "") return text;
  }
  return undefined;
}

/** What a dotted path leads to; its numbers count the elements of lists. */
function valueAt(root: unknown, path: string): unknown {
  let value = root;
  for (const name of path.split(".")) value = childOf(value, name);
  return value;
}

function childOf(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return /^\d+$/.test(name) ? value[Number(name)] : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function firstError(answer: unknown): string | undefined {
  for (const path of ERROR_PATHS) {
    const text = errorText(valueAt(answer, path));
    if (text !== undefined) return text;
  }
  return undefined;
}

/** RunPod tells a handler's exception as JSON in a text; its message is what a person wants, not its trace. */
function errorText(value: unknown): string | undefined {
  const told = typeof value === "string" ? parseJson(value) ?? value : value;
  const message = firstText(told, ["error_message", "message"]) ??
    (typeof told === "string" ? told : isEmpty(told) ? "" : jsonText(told));
  const line = cleanLine(message, { charsMax: ERROR_CHARS_MAX });
  return line === "" ? undefined : line;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null ||
    (typeof value === "object" && Object.keys(value).length === 0);
}
