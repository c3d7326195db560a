import { isoSeconds } from "../core/clock.ts";
import { type Context, uninterrupted } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { FailedError, ModelSyncError, UnreachableError } from "../core/errors.ts";
import { wasTurnedAway } from "../http/status_error.ts";
import { Working } from "../core/working.ts";
import { pauseBeforeRetry, REQUEST_RETRIES, type RetryPolicy, withRetry } from "../core/retry.ts";
import { mayHaveStarted, type RunPodClient } from "./client.ts";
import type { JobReport } from "./job.ts";
import type { JobMemory, NextStep } from "./job_memory.ts";

/** A job whose archive can be fetched. */
export interface FinishedJob {
  /** The API's name for it, or one of our own where the API gave none. */
  readonly id: string;
  readonly startedAt: Date;
  readonly status: string;
  readonly archiveUrl: string;
  /** Whether the API can be asked again for the archive's address. */
  readonly canBeAsked: boolean;
}

export interface JobRunnerOptions {
  readonly pollIntervalMs: number;
  /** The whole wait for a job. */
  readonly jobTimeoutMs: number;
  /** A job that is not waited for any longer is cancelled. */
  readonly cancels: boolean;
}

/** A network that is away for ten minutes is no reason to give up a training that is paid for. */
const POLL_RETRIES: RetryPolicy = { attemptsMax: 15, firstDelayMs: 1_000, delayMsMax: 60_000 };

/** What a worker has to return, for whoever writes one. */
const WANTED_RESULT = 'the worker must return {"models_archive_url": "https://…"}';

/** The API does not know the job, or no longer. */
class JobGone extends UnreachableError {}

/** Starts a job or goes on with one, waits for it, and cancels what is not waited for any longer. */
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
   * Waits until there is an archive.
   *
   * @throws {FailedError} `JOB_FAILED`, `JOB_TIMEOUT`, `NO_ARCHIVE_URL`, `JOB_UNKNOWN` when a start got no answer;
   * what the API's errors are; the signal's reason, after the job was cancelled
   */
  async finish(step: NextStep): Promise<FinishedJob> {
    const { log } = this.#context;
    if (step.do === "refuse") throw unknownJob(step.at);
    if (step.do === "start") {
      if (step.because !== undefined) log.warn(`${step.because}: starting another job`);
      this.#memory.forget();
      return await this.#start();
    }
    log.info(`going on with RunPod job ${step.id}, started at ${step.at}`);
    try {
      return await this.#waitFor(step.id, new Date(step.at));
    } catch (error) {
      if (!(error instanceof JobGone)) throw error;
      log.warn(`RunPod job ${step.id} of ${step.at} is gone with its result: starting another job`);
      return await this.#start();
    }
  }

  /** Asks again where the archive of a finished job is: signed addresses expire. */
  async askAgain(job: FinishedJob): Promise<string> {
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

  /** Written down before it is sent, and taken back only when it is known that no job was made of it. */
  async #askForStart(at: string): Promise<JobReport> {
    const { signal } = this.#context;
    signal.throwIfAborted();
    // Whoever wants to stop waits a moment: only an answer tells which job to cancel.
    const context = uninterrupted(this.#context);
    this.#memory.remember({ state: "asked", at });
    using _working = new Working(this.#context, "starting a RunPod job");
    try {
      for (let attempt = 1;; attempt++) {
        try {
          return await this.#client.start(context);
        } catch (error) {
          // The only ones that say for sure that nothing was started, and that asking again may help.
          if (!wasTurnedAway(error) || attempt >= REQUEST_RETRIES.attemptsMax) throw error;
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
      hint: "check its log on RunPod, or give it more time with runpod.job_timeout_sec",
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
      throw new JobGone(`Cannot follow RunPod job ${id}: the API does not know the job, or no longer`, {
        code: "JOB_GONE",
        cause: error,
        hint: "RunPod keeps a result for 30 minutes; check status_url_template, or run again for another job",
      });
    }
  }

  /** The archive's address once there is one. @throws {FailedError} when there never will be */
  #judge(id: string, report: JobReport): string | undefined {
    const { phase, status, archiveUrl, error } = report;
    if (phase === "failed") {
      this.#memory.forget();
      throw new FailedError(`RunPod job ${id} failed (${status}): ${error ?? "it does not say why"}`, {
        code: "JOB_FAILED",
        hint: "check its log on RunPod; the active release is untouched",
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

  /** Refuses an address that is none. */
  #finished(id: string, startedAt: Date, { status, id: realId }: JobReport, archiveUrl: string): FinishedJob {
    if (URL.canParse(archiveUrl) && /^https?:$/.test(new URL(archiveUrl).protocol)) {
      const canBeAsked = realId !== undefined && this.#client.canFollow;
      return { id, startedAt, status: status ?? "COMPLETED", archiveUrl, canBeAsked };
    }
    this.#memory.forget();
    throw new FailedError(`Cannot use RunPod job ${id}: the address of its archive is no http address`, {
      code: "NO_ARCHIVE_URL",
      hint: WANTED_RESULT,
    });
  }

  /** Cancels a job that nobody waits for any longer, within its own bound of time; never throws. */
  async #letGo(id: string): Promise<void> {
    const { log } = this.#context;
    const goesOn = `RunPod job ${id} goes on and is paid for; the next run waits for it`;
    if (!this.#options.cancels) return log.warn(goesOn);
    if (!this.#client.canCancel) {
      return log.warn(`${goesOn}; it cannot be cancelled from here: no /status/ in status_url_template`);
    }
    // The run's own signal may be aborted already.
    const context = uninterrupted(this.#context);
    try {
      const { phase } = await this.#client.cancel(context, id);
      // Had it come to its end in the meantime, its result is for the next run.
      if (phase === "succeeded") {
        return log.warn(`RunPod job ${id} has just ended; the next run takes its result`);
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
        "check the endpoint's requests on RunPod and cancel the job that is not wanted; then start another one with " +
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
