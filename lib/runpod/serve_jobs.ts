import * as z from "zod";
import { type Context, uninterrupted } from "../core/context.ts";
import {
  InterruptedError,
  messageAndHint,
  messageOf,
  ModelSyncError,
  TransientError,
  UsageError,
} from "../core/errors.ts";
import { findUtf8 } from "../core/files.ts";
import { parseJson } from "../core/json.ts";
import { REQUEST_RETRIES, retryDelayMs, withRetry } from "../core/retry.ts";
import { JobProgress } from "./job_progress.ts";
import { TAKE_VARIABLE, type WorkerApi, type WorkerJob, type WorkerResult } from "./worker_api.ts";

/**
 * Does one job. Its result becomes the job's output, and an error that it throws the job's error.
 *
 * @param showStep shows the current step to the job's clients
 */
export type JobHandler = (
  context: Context,
  job: WorkerJob,
  showStep: (step: string) => void,
) => Promise<Readonly<Record<string, unknown>>>;

/** The pause between two requests to a server that does not hold them open. */
const IDLE_PAUSE_MS = 1_000;

/**
 * Takes and does one job after the other, until the signal is aborted. Failures of a job or of RunPod do not end the
 * worker. It stops a job when RunPod says so. When the signal is aborted, the worker drains, as RunPod's own does: it
 * finishes its current job and takes no further one.
 */
export async function serveJobs(context: Context, api: WorkerApi, handle: JobHandler): Promise<void> {
  const worker = new Worker(context, api, handle);
  await worker.serve();
}

/** Does one job without RunPod, to try a handler. */
export async function tryJob(context: Context, job: WorkerJob, handle: JobHandler): Promise<WorkerResult> {
  const showStep = (step: string) => context.log.info(`progress: ${step}`);
  return await resultOf(context, job, (inJob, one) => handle(inJob, one, showStep), "local");
}

/** The file in the working folder from which RunPod's own worker reads a job to try. */
const FILE = "test_input.json";

/** The largest job that RunPod accepts (its documentation of `/run`). */
const BYTES_MAX = 10 * 1024 * 1024;

const TestInput = z.looseObject({ input: z.unknown() });

/**
 * Returns the job in `test_input.json`, which RunPod's own worker does outside RunPod; `undefined` on RunPod, or if there
 * is no such file. Needs read permission.
 *
 * @throws {UsageError} code `TEST_INPUT_INVALID`
 */
export function findTestInput(
  { env, fs, log }: Pick<Context, "env" | "fs" | "log">,
): { readonly input?: unknown } | undefined {
  if ((env.get(TAKE_VARIABLE) ?? "") !== "") return undefined;
  const text = findUtf8(fs, FILE, BYTES_MAX);
  if (text === undefined) return undefined;
  log.info(`${TAKE_VARIABLE} is not set: doing the job in ${FILE}`);
  const job = TestInput.safeParse(parseJson(text.replace(/^\ufeff/, "")));
  if (job.success && job.data.input !== undefined) return job.data;
  throw new UsageError(`Cannot do the job in ${FILE}: it is not a JSON object with an input`, {
    code: "TEST_INPUT_INVALID",
    hint: 'write {"input": {…}} into it, as for --test-input',
  });
}

class Worker {
  readonly #context: Context;
  readonly #api: WorkerApi;
  readonly #handle: JobHandler;
  #jobId: string | undefined;

  constructor(context: Context, api: WorkerApi, handle: JobHandler) {
    this.#context = context;
    this.#api = api;
    this.#handle = handle;
  }

  async serve(): Promise<void> {
    const { signal, log } = this.#context;
    log.info(`RunPod worker ${this.#api.workerId} waits for jobs`);
    const ended = new AbortController();
    // Goes on while the worker finishes a job after the signal.
    const pinging = this.#keepAlive({ ...this.#context, signal: ended.signal });
    let failures = 0;
    while (!signal.aborted) {
      try {
        const job = await this.#api.take(this.#context);
        failures = 0;
        if (job === undefined) await this.#context.clock.sleep(IDLE_PAUSE_MS, signal);
        else await this.#do(job);
      } catch (error) {
        if (signal.aborted) break;
        await this.#pauseAfter(error, ++failures);
      }
    }
    ended.abort();
    await pinging;
    log.info(`RunPod worker ${this.#api.workerId} stopped`);
  }

  async #do(job: WorkerJob): Promise<void> {
    const { log } = this.#context;
    log.info(`RunPod job ${job.id} begins`);
    this.#jobId = job.id;
    const stop = new AbortController();
    const ended = new AbortController();
    const watching = this.#watchForStop(job, stop, ended.signal);
    const unstopped = this.#unstopped();
    const progress = new JobProgress(unstopped, (text) => this.#api.reportProgress(unstopped, job.id, text));
    const context = { ...this.#context, signal: stop.signal, log: progress.watch(log) };
    const showStep = (step: string) => progress.show(step);
    using _draining = this.#announceDrain(job);
    const work = (inJob: Context, one: WorkerJob) => this.#handle(inJob, one, showStep);
    const result = await resultOf(context, job, work, this.#api.workerId);
    ended.abort();
    await Promise.all([watching, progress.end()]);
    if (stop.signal.aborted) log.warn(`RunPod job ${job.id} was stopped by RunPod`);
    else await this.#report(job, result);
    this.#jobId = undefined;
  }

  /** The context for requests that are also sent while the worker stops. Each attempt has its own time limit. */
  #unstopped(): Context {
    return uninterrupted(this.#context);
  }

  #announceDrain(job: WorkerJob): Disposable {
    const { log, signal } = this.#context;
    const announce = () => log.warn(`the worker finishes RunPod job ${job.id} before it stops`);
    signal.addEventListener("abort", announce, { once: true });
    return { [Symbol.dispose]: () => signal.removeEventListener("abort", announce) };
  }

  async #report(job: WorkerJob, result: WorkerResult): Promise<void> {
    const { log } = this.#context;
    const context = this.#unstopped();
    try {
      await withRetry(context, REPORT_RETRIES, () => this.#api.report(context, job.id, result));
      if ("error" in result) log.error(`RunPod job ${job.id} failed: ${result.error}`);
      else log.info(`RunPod job ${job.id} is done`);
    } catch (error) {
      log.error(`RunPod job ${job.id} has a result that RunPod did not accept: ${messageOf(error)}`);
    }
  }

  /** Aborts `stop` when RunPod wants the job stopped, because it was cancelled or exceeded its time limit. */
  async #watchForStop(job: WorkerJob, stop: AbortController, ended: AbortSignal): Promise<void> {
    if (!this.#api.hasStopSignals) return;
    const context = { ...this.#context, signal: ended };
    while (!ended.aborted) {
      try {
        const ids = await this.#api.stopSignals(context);
        if (ids.includes(job.id)) return stop.abort(stopped(job));
        await context.clock.sleep(IDLE_PAUSE_MS, ended);
      } catch (error) {
        if (ended.aborted) return;
        this.#context.log.debug(messageOf(error));
        await context.clock.sleep(STOP_PAUSE_MS, ended).catch(() => {});
      }
    }
  }

  async #keepAlive(context: Context): Promise<void> {
    const { signal, clock, log } = context;
    while (!signal.aborted) {
      try {
        await this.#api.ping(context, this.#jobId);
      } catch (error) {
        if (!signal.aborted) log.debug(messageOf(error));
      }
      await clock.sleep(this.#api.pingIntervalMs, signal).catch(() => {});
    }
  }

  async #pauseAfter(error: unknown, failures: number): Promise<void> {
    const { log, clock, signal } = this.#context;
    const asked = error instanceof TransientError ? error.retryAfterMs : undefined;
    const delayMs = Math.min(retryDelayMs(REQUEST_RETRIES, failures, asked, Math.random()), PAUSE_MS_MAX);
    log.warn(`${messageOf(error)}; trying again in ${(delayMs / 1000).toFixed(1)} s`);
    await clock.sleep(delayMs, signal).catch(() => {});
  }
}

/** RunPod's own worker sends a result at most three times. The result of a training is worth more attempts. */
const REPORT_RETRIES = REQUEST_RETRIES;

/** RunPod may consider a worker dead that waits longer. */
const PAUSE_MS_MAX = 60_000;

/** Without stop signals, a job only runs to its end, so that failures are retried slowly. */
const STOP_PAUSE_MS = 5_000;

async function resultOf(
  context: Context,
  job: WorkerJob,
  handle: (context: Context, job: WorkerJob) => ReturnType<JobHandler>,
  workerId: string,
): Promise<WorkerResult> {
  try {
    return { output: await handle(context, job) };
  } catch (error) {
    // The format in which RunPod's own worker reports an exception, for clients that parse it.
    const exception = {
      error_type: error instanceof ModelSyncError
        ? error.code
        : error instanceof Error
        ? error.name
        : "Error",
      error_message: messageAndHint(error),
      hostname: context.host,
      worker_id: workerId,
    };
    return { error: JSON.stringify(exception) };
  }
}

function stopped(job: WorkerJob): InterruptedError {
  return new InterruptedError(`Cannot continue RunPod job ${job.id}: RunPod stopped it`, {
    code: "JOB_STOPPED",
  });
}
