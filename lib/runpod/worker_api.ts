import * as z from "zod";
import type { Context, Environment } from "../core/context.ts";
import { UnreachableError, UsageError } from "../core/errors.ts";
import type { Credentials, HttpRequest } from "../http/request_types.ts";
import { exchange, readText } from "../http/request.ts";
import { statusError } from "../http/status_error.ts";
import { parseJson } from "../core/json.ts";
import { findToken } from "../core/read_secret.ts";
import type { Secret } from "../core/secret.ts";
import { VERSION } from "../core/version.ts";
import { findWebAddress } from "../http/web_address.ts";

/** A job that RunPod hands to a worker. */
export interface WorkerJob {
  readonly id: string;
  readonly input: unknown;
}

/** The result of a job. An error is a text: RunPod treats any other error as a success without output. */
export type WorkerResult = { readonly output: Readonly<Record<string, unknown>> } | {
  readonly error: string;
};

/** RunPod holds a request for a job open until there is one, or for this long (its SDK). */
const LONG_POLL_MS = 90_000;
const REPORT_TIMEOUT_MS = 30_000;
const PING_INTERVAL_MS = 10_000;
/** How long a job's result waits for a progress message in flight. */
const PROGRESS_TIMEOUT_MS = 10_000;

/** RunPod sets this variable. Without it, its SDK assumes that it does not run on RunPod. */
export const TAKE_VARIABLE = "RUNPOD_WEBHOOK_GET_JOB";

const Job = z.object({ id: z.string().min(1).max(200), input: z.unknown() });
const StopSignals = z.object({ jobsToStop: z.array(z.string()).default([]) });

/**
 * The worker's side of RunPod's serverless protocol, as in its Python SDK 1.x. The addresses come from the worker's
 * environment: `RUNPOD_WEBHOOK_GET_JOB`, `RUNPOD_WEBHOOK_POST_OUTPUT`, `RUNPOD_WEBHOOK_PING`. Needs net permission.
 */
export class WorkerApi {
  /** The worker's id, by which RunPod knows it. */
  readonly workerId: string;
  readonly pingIntervalMs: number;
  readonly #takeUrl: string;
  readonly #doneUrl: string;
  readonly #pingUrl: string | undefined;
  readonly #key: Secret | undefined;

  /** @throws {UsageError} code `NOT_ON_RUNPOD` */
  constructor(env: Environment) {
    this.workerId = env.get("RUNPOD_POD_ID") ?? crypto.randomUUID();
    this.#takeUrl = this.#own(requireAddress(env, TAKE_VARIABLE)).replaceAll("$ID", this.workerId);
    this.#doneUrl = this.#own(requireAddress(env, "RUNPOD_WEBHOOK_POST_OUTPUT"));
    const pingUrl = findAddress(env, "RUNPOD_WEBHOOK_PING");
    this.#pingUrl = pingUrl === undefined ? undefined : this.#own(pingUrl);
    const intervalMs = Number(env.get("RUNPOD_PING_INTERVAL") ?? NaN);
    this.pingIntervalMs = intervalMs >= 1_000 ? intervalMs : PING_INTERVAL_MS;
    this.#key = findToken(env, "RUNPOD_AI_API_KEY");
  }

  /** Returns the next job; `undefined` if RunPod has none until its request times out. */
  async take(context: Context): Promise<WorkerJob | undefined> {
    const url = withParameters(this.#takeUrl, { job_in_progress: "0" });
    const text = await this.#ask(context, { url, what: "the next job of RunPod" }, LONG_POLL_MS);
    if (text.trim() === "") return undefined;
    const job = Job.safeParse(parseJson(text));
    if (job.success) return job.data;
    throw new UnreachableError("Cannot read the next job of RunPod: it has no id", {
      code: "ANSWER_INVALID",
    });
  }

  /** Returns the ids of jobs to stop, when RunPod has some or its request times out. */
  async stopSignals(context: Context): Promise<readonly string[]> {
    const url = this.#takeUrl.replace(TAKE_SEGMENT, "/job-stop/");
    const text = await this.#ask(context, { url, what: "RunPod's stop signals" }, LONG_POLL_MS);
    return StopSignals.safeParse(parseJson(text)).data?.jobsToStop ?? [];
  }

  /** Whether RunPod can stop jobs: the address for stop signals follows from the one for taking jobs. */
  get hasStopSignals(): boolean {
    return this.#takeUrl.includes(TAKE_SEGMENT);
  }

  async report(context: Context, id: string, result: WorkerResult): Promise<void> {
    await this.#post(context, id, result, REPORT_TIMEOUT_MS);
  }

  /** Reports a job's progress: the job's clients read it as the output of a job that is in progress. */
  async reportProgress(context: Context, id: string, text: string): Promise<void> {
    await this.#post(context, id, { status: "IN_PROGRESS", output: text }, PROGRESS_TIMEOUT_MS);
  }

  async #post(context: Context, id: string, body: unknown, timeoutMs: number): Promise<void> {
    await this.#ask(context, {
      url: withParameters(this.#doneUrl.replaceAll("$ID", encodeURIComponent(id)), { isStream: "false" }),
      method: "POST",
      // The SDK's content type, although the body is JSON.
      headers: { "content-type": "application/x-www-form-urlencoded", "x-request-id": id },
      body: JSON.stringify(body),
      verb: "return",
      what: `the result of RunPod job ${id}`,
    }, timeoutMs);
  }

  /** Reports to RunPod that the worker is alive, and its current job. */
  async ping(context: Context, id: string | undefined): Promise<void> {
    if (this.#pingUrl === undefined) return;
    const job = id === undefined ? {} : { job_id: id };
    // The SDK's name for the parameter with its own version.
    const url = withParameters(this.#pingUrl, { ...job, runpod_version: `model-sync/${VERSION}` });
    await this.#ask(context, { url, verb: "send", what: "a ping to RunPod" }, 2 * this.pingIntervalMs);
  }

  /** Returns the answer's body; empty without one, and for the 400 that a frozen worker gets. */
  async #ask(context: Context, request: HttpRequest, timeoutMs: number): Promise<string> {
    const whole = { timeoutMs, credentials: this.#credentialsFor(request.url), ...request };
    return await exchange(context, whole, async (response) => {
      if (response.ok) return await readText(response, request);
      if (response.status !== 400 || request.method === "POST") {
        throw await statusError(context, whole, response);
      }
      await response.body?.cancel();
      return "";
    });
  }

  #credentialsFor(url: string): Credentials | undefined {
    // The key without a scheme, as this side of RunPod expects it.
    return this.#key === undefined || !URL.canParse(url)
      ? undefined
      : { origin: new URL(url).origin, headers: { authorization: this.#key } };
  }

  #own(template: string): string {
    return template.replaceAll("$RUNPOD_POD_ID", this.workerId);
  }
}

const TAKE_SEGMENT = "/job-take/";

/** Returns an address that RunPod sets in its workers' environment. */
function findAddress(env: Environment, name: string): string | undefined {
  return findWebAddress(env, { name, meaning: "RunPod's own" });
}

function requireAddress(env: Environment, name: string): string {
  const url = findAddress(env, name);
  if (url !== undefined) return url;
  throw new UsageError(`Cannot serve RunPod: the variable ${name} is not set`, {
    code: "NOT_ON_RUNPOD",
    hint:
      "RunPod sets it for the workers of an endpoint; to try a job here, give it with --test-input or in test_input.json",
  });
}

/** Returns the address with additional parameters. RunPod's addresses usually have a query already. */
function withParameters(url: string, parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters).reduce(
    (result, [name, value]) =>
      `${result}${result.includes("?") ? "&" : "?"}${name}=${encodeURIComponent(value)}`,
    url,
  );
}
