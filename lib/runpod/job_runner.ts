import { isoSeconds } from "../core/clock.ts";
import { type Context, uninterrupted } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { FailedError, ModelSyncError, UnreachableError } from "../core/errors.ts";
import { wasRateLimited } from "../http/status_error.ts";
import { Working } from "../core/working.ts";
import { pauseBeforeRetry, REQUEST_RETRIES, type RetryPolicy, withRetry } from "../core/retry.ts";
import { mayHaveStarted, type RunPodClient } from "./client.ts";
import type { JobReport } from "./job.ts";
import type { JobMemory, NextStep } from "./job_memory.ts";

/** A finished job with the address of its archive. */
export interface FinishedJob {
  /** The API's id of the job, or our own if the API gave none. */
  readonly id: string;
  readonly startedAt: Date;
  readonly status: string;
  readonly archiveUrl: string;
  /** Whether the API can be queried again for the archive's address. */
  readonly canBeAsked: boolean;
}

export interface JobRunnerOptions {
  readonly pollIntervalMs: number;
  /** The time limit for a job. */
  readonly jobTimeoutMs: number;
  /** Whether a job is cancelled when the run stops waiting for it. */
  readonly cancels: boolean;
}

/** A network failure of ten minutes must not end the wait for a training that is paid for. */
const POLL_RETRIES: RetryPolicy = { attemptsMax: 15, firstDelayMs: 1_000, delayMsMax: 60_000 };

/** The hint about what a worker has to return. */
const WANTED_RESULT = 'the worker must return {"models_archive_url": "https://…"}';

/** The API does not know the job, or has dropped it. */
class JobGone extends UnreachableError {}

/** Starts a job or continues with one, waits for it, and cancels a job that the run no longer waits for. */
export class JobRunner {
  readonly #context: Context;
  readonly #client: RunPodClient;
  readonly #memory: JobMemory;
  readonly #options: JobRunnerOptions;

  constructor(context: Context, client: RunPodClient, memory: JobMemory, options: JobRunnerOptions) {
    this.#context = context;
    this.#client = client;
    this.#memory = memory;
    this.#options = options;
  }

  /**
   * Returns the job when its archive is ready.
   *
   * @throws {FailedError} `JOB_FAILED`, `JOB_TIMEOUT`, `NO_ARCHIVE_URL`, `JOB_UNKNOWN` when a start request got no
   * answer; the API's errors; the signal's reason, after the job was cancelled
   */
  async finish(step: NextStep): Promise<FinishedJob> {
    const { log } = this.#context;
    if (step.do === "refuse") throw unknownJob(step.at);
    if (step.do === "start") {
      if (step.because !== undefined) log.warn(`${step.because}: starting another job`);
      this.#memory.forget();
      return await this.#start();
    }
    log.info(`continuing with RunPod job ${step.id}, started at ${step.at}`);
    try {
      return await this.#waitFor(step.id, new Date(step.at));
    } catch (error) {
      if (!(error instanceof JobGone)) throw error;
      log.warn(`RunPod job ${step.id} of ${step.at} and its result are gone: starting another job`);
      return await this.#start();
    }
  }

  /** Returns the current address of a finished job's archive: signed addresses expire. */
  async newArchiveUrl(job: FinishedJob): Promise<string> {
    if (!job.canBeAsked) return job.archiveUrl;
    const report = await this.#status(this.#context, job.id);
    return this.#judge(job.id, report) ?? job.archiveUrl;
  }

  async #start(): Promise<FinishedJob> {
    const startedAt = this.#context.clock.now();
    const at = isoSeconds(startedAt);
    const report = await this.#askForStart(at);
    const { id, phase, archiveUrl } = report;
    if (id !== undefined && this.#client.canFollow) this.#memory.remember({ state: "started", at, id });
    else this.#memory.forget();
    const name = id ?? `started at ${at}`;
    if (archiveUrl !== undefined && phase !== "failed") {
      return this.#finished(name, startedAt, report, archiveUrl);
    }
    const known = this.#judge(name, report);
    if (known !== undefined) return this.#finished(name, startedAt, report, known);
    if (!this.#client.canFollow) throw cannotFollow("model_sync.runpod.status_url_template is not set");
    if (id === undefined) throw cannotFollow("the answer to its start has no id, job_id or requestId");
    this.#context.log.info(`started RunPod job ${id}`);
    return await this.#waitFor(id, startedAt);
  }

  /** Sends the start request. It is remembered before, and forgotten only if it certainly started no job. */
  async #askForStart(at: string): Promise<JobReport> {
    const { signal } = this.#context;
    signal.throwIfAborted();
    // Not interrupted by a stop: only the answer contains the id of the job to cancel.
    const context = uninterrupted(this.#context);
    this.#memory.remember({ state: "asked", at });
    using _working = new Working(this.#context, "starting a RunPod job");
    try {
      for (let attempt = 1;; attempt++) {
        try {
          return await this.#client.start(context);
        } catch (error) {
          // Only these errors say that no job was started, and that a second request may succeed.
          if (!wasRateLimited(error) || attempt >= REQUEST_RETRIES.attemptsMax) throw error;
          await pauseBeforeRetry(this.#context, REQUEST_RETRIES, attempt, error);
        }
      }
    } catch (error) {
      if (mayHaveStarted(error)) throw unknownJob(at, error);
      this.#memory.forget();
      throw error;
    }
  }

  async #waitFor(id: string, startedAt: Date): Promise<FinishedJob> {
    const { jobTimeoutMs } = this.#options;
    const late = new FailedError(`Cannot wait for RunPod job ${id}: no end after ${jobTimeoutMs / 1000} s`, {
      code: "JOB_TIMEOUT",
      hint: "check the job's log on RunPod, or raise runpod.job_timeout_sec",
    });
    using _working = new Working(this.#context, `RunPod job ${id}`);
    try {
      return await withDeadline(
        this.#context,
        jobTimeoutMs,
        () => late,
        (signal) => this.#poll({ ...this.#context, signal }, id, startedAt),
      );
    } catch (error) {
      if (error === late || this.#context.signal.aborted) await this.#letGo(id);
      throw error;
    }
  }

  async #poll(context: Context, id: string, startedAt: Date): Promise<FinishedJob> {
    let shown: string | undefined;
    for (;;) {
      const report = await this.#status(context, id);
      const archiveUrl = this.#judge(id, report);
      if (archiveUrl !== undefined) return this.#finished(id, startedAt, report, archiveUrl);
      const state = [report.status ?? "no status", report.progress].filter(Boolean).join(", ");
      if (state !== shown) context.log.info(`RunPod job ${id}: ${state}`);
      shown = state;
      await context.clock.sleep(this.#options.pollIntervalMs, context.signal);
    }
  }

  async #status(context: Context, id: string): Promise<JobReport> {
    try {
      return await withRetry(context, POLL_RETRIES, () => this.#client.status(context, id));
    } catch (error) {
      if (!(error instanceof UnreachableError) || error.code !== "HTTP_404") throw error;
      this.#memory.forget();
      throw new JobGone(`Cannot follow RunPod job ${id}: the API does not know the job, or has dropped it`, {
        code: "JOB_GONE",
        cause: error,
        hint: "RunPod keeps a result for 30 minutes; check status_url_template, or run again for another job",
      });
    }
  }

  /** Returns the archive's address; `undefined` while the job runs. @throws {FailedError} if the job has failed */
  #judge(id: string, report: JobReport): string | undefined {
    const { phase, status, archiveUrl, error } = report;
    if (phase === "failed") {
      this.#memory.forget();
      throw new FailedError(`RunPod job ${id} failed (${status}): ${error ?? "no reason given"}`, {
        code: "JOB_FAILED",
        hint: "check the job's log on RunPod; the active release is untouched",
      });
    }
    if (archiveUrl !== undefined && phase !== "waiting") return archiveUrl;
    if (phase !== "succeeded") return undefined;
    this.#memory.forget();
    const said = error === undefined ? "" : `; it says: ${error}`;
    throw new FailedError(
      `Cannot use RunPod job ${id}: it is ${status} without the address of an archive${said}`,
      {
        code: "NO_ARCHIVE_URL",
        hint: `${WANTED_RESULT}; RunPod drops a result after 30 minutes, and one that it cannot store`,
      },
    );
  }

  /** Refuses a text that is not an http address. */
  #finished(id: string, startedAt: Date, { status, id: realId }: JobReport, archiveUrl: string): FinishedJob {
    if (URL.canParse(archiveUrl) && /^https?:$/.test(new URL(archiveUrl).protocol)) {
      const canBeAsked = realId !== undefined && this.#client.canFollow;
      return { id, startedAt, status: status ?? "COMPLETED", archiveUrl, canBeAsked };
    }
    this.#memory.forget();
    throw new FailedError(`Cannot use RunPod job ${id}: the address of its archive is not an http address`, {
      code: "NO_ARCHIVE_URL",
      hint: WANTED_RESULT,
    });
  }

  /** Cancels a job within its own time limit. Never throws. */
  async #letGo(id: string): Promise<void> {
    const { log } = this.#context;
    const goesOn = `RunPod job ${id} keeps running and is paid for; the next run waits for it`;
    if (!this.#options.cancels) return log.warn(goesOn);
    if (!this.#client.canCancel) {
      return log.warn(`${goesOn}; it cannot be cancelled from here: no /status/ in status_url_template`);
    }
    // Not the run's own signal, which may be aborted already.
    const context = uninterrupted(this.#context);
    try {
      const { phase } = await this.#client.cancel(context, id);
      // If the job has ended meanwhile, the next run uses its result.
      if (phase === "succeeded") {
        return log.warn(`RunPod job ${id} has just ended; the next run uses its result`);
      }
      this.#memory.forget();
      log.warn(`cancelled RunPod job ${id}`);
    } catch (error) {
      if (!(error instanceof ModelSyncError)) throw error;
      log.warn(`${error.message}: ${goesOn}`);
    }
  }
}

function unknownJob(at: string, cause?: unknown): FailedError {
  const why = cause instanceof Error ? ` (${cause.message})` : "";
  return new FailedError(
    `A RunPod job may be running: the start request sent at ${at} got no response${why}`,
    {
      code: "JOB_UNKNOWN",
      cause,
      hint:
        "check the endpoint's requests on RunPod and cancel the unwanted job; then start another one with " +
        "--new-job. Once the job must have ended, the next run starts one by itself",
    },
  );
}

function cannotFollow(problem: string): FailedError {
  return new FailedError(`Cannot wait for the RunPod job that was started: ${problem}`, {
    code: "JOB_NOT_FOLLOWED",
    hint:
      "set runpod.status_url_template to https://api.runpod.ai/v2/ENDPOINT_ID/status/{job_id}, and check trigger_url",
  });
}
