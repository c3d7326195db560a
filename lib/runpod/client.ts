import * as z from "zod";
import { AuthenticationError, InterruptedError, ModelSyncError, RefusedError } from "../core/errors.ts";
import type { Credentials, HttpContext, HttpRequest } from "../http/request_types.ts";
import { requestJson } from "../http/request.ts";
import { isConnectFailure } from "../http/network_error.ts";
import { redact, type Secret } from "../core/secret.ts";
import { type JobReport, readJob } from "./job.ts";

export type JsonValue = z.infer<ReturnType<typeof z.json>>;

/** The addresses, headers and time limits of the API that runs jobs. */
export interface RunPodApi {
  readonly triggerUrl: string;
  /** The address of a job's status, with `{job_id}` or `{id}`. Not needed if the start request returns the archive. */
  readonly statusUrlTemplate: string | undefined;
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  /** The configured payload. {@link startBody} makes the body of it. */
  readonly payload: Readonly<Record<string, JsonValue>>;
  /** Additional headers. Each may be a secret. */
  readonly headers: Readonly<Record<string, Secret>>;
  /** The hint if the API refuses access: it names the place of the API key, or the variable that is not set. */
  readonly accessHint?: string | undefined;
  readonly requestTimeoutMs: number;
  /** The time limit of a job, from its start to its result. */
  readonly jobTimeoutMs: number;
}

/** RunPod's limits for `policy.executionTimeout` and `policy.ttl`, and how long it keeps a result (its documentation). */
const EXECUTION_MS = { min: 5_000, max: 7 * 86_400_000 };
const TTL_MS = { min: 10_000, max: 7 * 86_400_000 };
const RESULT_KEPT_MS = 30 * 60_000;

/** How long a stopping run waits for a cancellation. */
const CANCEL_TIMEOUT_MS = 10_000;

/**
 * Returns the body of a start request. For RunPod's own `/run` and `/runsync`, it adds a missing `input`, which RunPod
 * requires, and a `policy` with the job's time limit: RunPod's default is 600 s. The user's own policy wins, key by key.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { startBody } from "./client.ts";
 * const url = "https://api.runpod.ai/v2/abc/run";
 * assert.deepEqual(startBody(url, { input: { a: 1 }, policy: { ttl: 60_000 } }, 3_600_000), {
 *   input: { a: 1 },
 *   policy: { executionTimeout: 3_600_000, ttl: 60_000 },
 * });
 * assert.deepEqual(startBody("https://train.example/start", { a: 1 }, 3_600_000), { a: 1 });
 * ```
 */
export function startBody(
  triggerUrl: string,
  payload: RunPodApi["payload"],
  jobTimeoutMs: number,
): Record<string, JsonValue> {
  if (!isRunPodRun(triggerUrl)) return { ...payload };
  const own = payload["policy"];
  const policy = typeof own === "object" && own !== null && !Array.isArray(own) ? own : {};
  const executionTimeout = numberIn(policy, "executionTimeout") ?? clamp(jobTimeoutMs, EXECUTION_MS);
  const ttl = clamp(Math.max(jobTimeoutMs, executionTimeout) + RESULT_KEPT_MS, TTL_MS);
  return { ...payload, input: payload["input"] ?? {}, policy: { executionTimeout, ttl, ...policy } };
}

/** Returns how long after its start a job may still run or have a result. */
export function jobLifeMs({ triggerUrl, payload, jobTimeoutMs }: RunPodApi): number {
  const { policy } = startBody(triggerUrl, payload, jobTimeoutMs);
  return numberIn(policy, "ttl") ?? jobTimeoutMs + RESULT_KEPT_MS;
}

/** The start request for display, without header values. */
export interface PlannedStart {
  readonly method: string;
  readonly url: string;
  readonly body: Record<string, JsonValue> | null;
  readonly headers: readonly string[];
}

/** A client for RunPod's API, or for another API that starts training jobs and reports their status. */
export class RunPodClient {
  readonly #api: RunPodApi;

  constructor(api: RunPodApi) {
    this.#api = api;
  }

  /** Returns the request of {@link start}. */
  plan(): PlannedStart {
    const { method, triggerUrl, payload, jobTimeoutMs, headers } = this.#api;
    const body = method === "GET" ? null : startBody(triggerUrl, payload, jobTimeoutMs);
    const names = [...Object.keys(plainHeaders(body !== null)), ...Object.keys(headers)];
    const unique = new Set(names.map((name) => name.toLowerCase()));
    return { method, url: triggerUrl, body, headers: [...unique].sort() };
  }

  /** Starts a job with one attempt. After a failure, {@link mayHaveStarted} decides whether to repeat it. */
  async start(context: HttpContext): Promise<JobReport> {
    const { method, url, body } = this.plan();
    return await this.#ask(context, {
      url,
      method: this.#api.method,
      ...(body === null ? {} : { body: JSON.stringify(body) }),
      verb: "start",
      what: `a RunPod job with ${method} ${new URL(url).pathname}`,
    });
  }

  /** Whether the API has an address for the status of jobs. */
  get canFollow(): boolean {
    return this.#api.statusUrlTemplate !== undefined;
  }

  async status(context: HttpContext, id: string): Promise<JobReport> {
    const template = this.#requireTemplate();
    return await this.#ask(context, { url: urlOfJob(template, id), what: `the state of RunPod job ${id}` });
  }

  /** Whether the address for cancelling follows from the one for the status. */
  get canCancel(): boolean {
    return this.#api.statusUrlTemplate?.includes(STATUS_SEGMENT) === true;
  }

  async cancel(context: HttpContext, id: string): Promise<JobReport> {
    const template = this.#requireTemplate().replace(STATUS_SEGMENT, "/cancel/");
    return await this.#ask(context, {
      url: urlOfJob(template, id),
      method: "POST",
      verb: "cancel",
      what: `RunPod job ${id}`,
      timeoutMs: Math.min(this.#api.requestTimeoutMs, CANCEL_TIMEOUT_MS),
    });
  }

  /** Returns the headers for a download: the API's own, and only if the archive is on the API's origin. */
  credentialsFor(url: string): Credentials | undefined {
    const { triggerUrl, statusUrlTemplate } = this.#api;
    const origin = URL.canParse(url) ? new URL(url).origin : undefined;
    const own = [
      triggerUrl,
      ...(statusUrlTemplate === undefined ? [] : [urlOfJob(statusUrlTemplate, "job")]),
    ];
    if (origin === undefined || !own.some((address) => new URL(address).origin === origin)) return undefined;
    return { origin, headers: this.#api.headers };
  }

  async #ask(context: HttpContext, request: HttpRequest & { timeoutMs?: number }): Promise<JobReport> {
    const { data } = await this.#send(context, {
      timeoutMs: this.#api.requestTimeoutMs,
      headers: plainHeaders(request.body !== undefined),
      credentials: { origin: new URL(request.url).origin, headers: this.#api.headers },
      ...request,
    });
    const report = readJob(data);
    // A worker may repeat its input, secrets included.
    const { error, progress } = report;
    const hidden = Object.values(this.#api.headers);
    return {
      ...report,
      error: error && redact(error, hidden),
      ...(progress === undefined ? {} : { progress: redact(progress, hidden) }),
    };
  }

  async #send(context: HttpContext, request: HttpRequest & { readonly timeoutMs: number }) {
    try {
      return await requestJson(context, request, Answer);
    } catch (error) {
      throw explainRefusal(error, this.#api);
    }
  }

  #requireTemplate(): string {
    const { statusUrlTemplate } = this.#api;
    if (statusUrlTemplate === undefined) throw new TypeError("there is no address for the status of jobs");
    return statusUrlTemplate;
  }
}

const Answer = z.looseObject({});

/** Returns the error of a request; for a refused access, with the API's own hint. */
export function explainRefusal(error: unknown, { accessHint }: Pick<RunPodApi, "accessHint">): unknown {
  if (!(error instanceof AuthenticationError) || accessHint === undefined) return error;
  return new AuthenticationError(error.message, { code: error.code, cause: error, hint: accessHint });
}

const STATUS_SEGMENT = "/status/";

/**
 * Returns whether a failed start request may have started a job: the request may have arrived, and its answer been lost.
 * A second request could then start a second paid job.
 */
export function mayHaveStarted(error: unknown): boolean {
  if (error instanceof RefusedError || error instanceof InterruptedError) return false;
  // Without the net permission, no request was sent.
  if (error instanceof Deno.errors.NotCapable) return false;
  if (!(error instanceof ModelSyncError)) return true;
  if (/^HTTP_4(?!08|25)\d\d$/.test(error.code)) return false;
  if (error.code === "ADDRESS_INVALID" || error.code === "PROXY_REFUSED") return false;
  return !isConnectFailure(error.cause);
}

/** Matches `https://api.runpod.ai/v2/<endpoint>/run`, and the same path at another host. */
function isRunPodRun(url: string): boolean {
  return /\/v2\/[^/]+\/run(?:sync)?\/?$/.test(new URL(url).pathname);
}

/** Returns a job's address. The id comes from a server: encoded, it cannot change the path. */
function urlOfJob(template: string, id: string): string {
  return template.replaceAll(/\{(?:job_)?id\}/g, () => encodeURIComponent(id));
}

function plainHeaders(hasBody: boolean): Record<string, string> {
  return { accept: "application/json", ...(hasBody ? { "content-type": "application/json" } : {}) };
}

function clamp(value: number, { min, max }: { readonly min: number; readonly max: number }): number {
  return Math.min(max, Math.max(min, Math.round(value)));
}

function numberIn(value: JsonValue | undefined, name: string): number | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const found = value[name];
  return typeof found === "number" && Number.isFinite(found) ? found : undefined;
}
