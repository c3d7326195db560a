import { cleanLine } from "../core/clean_text.ts";
import { jsonText, parseJson } from "../core/json.ts";

/** The state of a job for a run that waits for it. */
export type JobPhase = "waiting" | "succeeded" | "failed";

/** A job, as an answer of the API describes it. */
export interface JobReport {
  readonly id: string | undefined;
  /** The API's status, in upper case. */
  readonly status: string | undefined;
  /** `undefined` if the answer has no status. */
  readonly phase: JobPhase | undefined;
  readonly archiveUrl: string | undefined;
  /** The progress that a running job reports, in one clean line. */
  readonly progress?: string | undefined;
  /** The job's own error message. */
  readonly error: string | undefined;
}

const ID_PATHS = ["id", "job_id", "requestId"];
const STATUS_PATHS = ["status", "state"];

/** Documented statuses are single words. Texts of other servers are logged, too, so they are cut. */
const STATUS_CHARS_MAX = 40;
/** The length of a progress line beside the status. */
const PROGRESS_CHARS_MAX = 100;
const ERROR_PATHS = ["error", "output.error", "message"];
const URL_NAMES = ["models_archive_url", "model_archive_url", "download_url"];
/** The last path is for workers that stream: their output is a list. */
const URL_PATHS = ["output.", "", "output.0."].flatMap((prefix) => URL_NAMES.map((name) => prefix + name));

const SUCCEEDED = ["COMPLETED", "SUCCEEDED", "SUCCESS"];
const FAILED = ["FAILED", "ERROR", "CANCELED", "CANCELLED", "TIMED_OUT", "TIMEOUT"];

/** Identifiers of RunPod have under 60 characters; a manifest's revision has room for 200. */
const ID_CHARS_MAX = 200;

/** How much of the job's message fits into a line on a terminal or in the history. */
const ERROR_CHARS_MAX = 500;

/**
 * Returns the job that an answer describes, in the formats of RunPod and of APIs like it. Any other status (`IN_QUEUE`,
 * `IN_PROGRESS`, `RUNNING` and more) means that the job is running.
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

/** Returns the value of the first path with a number or a text that is not blank. */
function firstText(answer: unknown, paths: readonly string[]): string | undefined {
  for (const path of paths) {
    const value = valueAt(answer, path);
    if (typeof value !== "string" && typeof value !== "number") continue;
    const text = String(value).trim();
    if (text !== "") return text;
  }
  return undefined;
}

/** Returns the value at a dotted path. Numbers are indexes of lists. */
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

/** Returns the message of a handler's exception, which RunPod sends as JSON in a text, together with its stack trace. */
function errorText(value: unknown): string | undefined {
  const decoded = typeof value === "string" ? parseJson(value) ?? value : value;
  const message = firstText(decoded, ["error_message", "message"]) ??
    (typeof decoded === "string" ? decoded : isEmpty(decoded) ? "" : jsonText(decoded));
  const line = cleanLine(message, { charsMax: ERROR_CHARS_MAX });
  return line === "" ? undefined : line;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null ||
    (typeof value === "object" && Object.keys(value).length === 0);
}
