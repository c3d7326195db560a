import { join } from "node:path";
import type { Context } from "../core/context.ts";
import type { ArchiveLimits } from "../archive/archive_limits.ts";
import { download, STALL_MS } from "../http/download.ts";
import type { DownloadRequest } from "../http/download_types.ts";
import { TransientError, UnreachableError } from "../core/errors.ts";
import { acquireLock } from "../core/lock.ts";
import { removePartial } from "../http/partial_file.ts";
import { redactUrls } from "../core/secret.ts";
import { jobLifeMs, type RunPodApi, RunPodClient } from "../runpod/client.ts";
import { JobMemory, type NextStep, nextStep } from "../runpod/job_memory.ts";
import { type FinishedJob, JobRunner } from "../runpod/job_runner.ts";
import { partialPath } from "../store/partials.ts";
import { requireSpace } from "../store/require_space.ts";
import { findRevision } from "../store/revisions.ts";
import type { Staging } from "../store/staging.ts";
import type { Store } from "../store/store.ts";
import { ArchivedModels } from "./archived_models.ts";
import type { RemoteModels } from "./remote_models.ts";
import type { Offer, Revision, Source } from "./carrier.ts";

export interface RunPodSourceOptions {
  readonly api: RunPodApi;
  readonly pollIntervalMs: number;
  readonly downloadTimeoutMs: number;
  readonly downloadBytesMax: number;
  readonly bytesPerSecondMax: number | undefined;
  readonly limits: ArchiveLimits;
  /** The folder of the models in the archive. */
  readonly subdir: string;
  /** Whether to cancel a job when the pull stops waiting for it. */
  readonly cancels: boolean;
  /** Whether to start a new job instead of continuing a remembered one. */
  readonly startsNewJob: boolean;
}

/** Starts a RunPod job that trains, waits for it, and pulls the models from its archive. The revision is the job. */
export class RunPodSource implements Source {
  readonly carrier = "runpod";
  readonly #context: Context;
  readonly #options: RunPodSourceOptions;
  readonly #store: Store;
  readonly #client: RunPodClient;
  readonly #memory: JobMemory;
  readonly #runner: JobRunner;
  #lock: Disposable | undefined;
  #finished: Promise<FinishedJob> | undefined;
  #job: FinishedJob | undefined;
  #archive: string | undefined;
  /** The models in the downloaded archive. */
  #models: ArchivedModels | undefined;
  /** The models in the archive on its server. */
  #remote: RemoteModels | undefined;

  constructor(context: Context, options: RunPodSourceOptions, store: Store) {
    const { api, pollIntervalMs, cancels } = options;
    this.#context = context;
    this.#options = options;
    this.#store = store;
    this.#client = new RunPodClient(api);
    this.#memory = memoryOf(store, api);
    this.#runner = new JobRunner(context, this.#client, this.#memory, {
      pollIntervalMs,
      jobTimeoutMs: api.jobTimeoutMs,
      cancels,
    });
  }

  /** The finished job of this run, if there is one. */
  get job(): FinishedJob | undefined {
    return this.#job;
  }

  /** After a refusal, the job stays remembered: a setting may be wrong, and the job is paid for. */
  get otherThanRefused(): string | undefined {
    const remembered = this.#memory.find();
    if (remembered?.state !== "started" || remembered.id !== this.#job?.id) return undefined;
    return `the next pull uses RunPod job ${remembered.id} again while RunPod keeps its result; to start another job ` +
      "instead, run model-sync runpod-pull --new-job";
  }

  /** May be called twice: by the caller of {@link prepare} and by the run. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#remote?.[Symbol.asyncDispose]();
    this.#remote = undefined;
    await this.#models?.[Symbol.asyncDispose]();
    this.#models = undefined;
    if (this.#archive !== undefined) removePartial(this.#store.fs, this.#archive);
    this.#archive = undefined;
    // Forget the job only when its models are active: after a kill before that, the next run continues with it.
    const isActive = this.#job !== undefined && this.#job.id === activatedJob(this.#store, this.#options);
    if (isActive) this.#memory.forget();
    this.#job = undefined;
    this.#lock?.[Symbol.dispose]();
    this.#lock = undefined;
  }

  /**
   * Waits for the job before the run takes the store's lock: a training takes an hour, and a rollback must not wait for
   * it. A separate lock prevents two pulls from paying for two jobs.
   *
   * @returns the failure, which {@link resolve} throws; `undefined` if there is none
   */
  async prepare(): Promise<{ readonly error: unknown } | undefined> {
    this.#finished = this.#finishLocked();
    return await this.#finished.then(() => undefined, (error: unknown) => ({ error }));
  }

  async resolve(): Promise<Revision> {
    this.#job = await (this.#finished ?? this.#finish());
    return { id: this.#job.id, source: sourceOf(this.#options) };
  }

  async #finishLocked(): Promise<FinishedJob> {
    const { fs, clock, host } = this.#context;
    const owner = { command: "runpod-pull", runId: "waits for a job", host };
    this.#lock = await acquireLock(fs, join(this.#store.root, "runpod.lock"), owner, clock);
    return await this.#finish();
  }

  async #finish(): Promise<FinishedJob> {
    return await this.#runner.finish(planJob(this.#context, this.#store, this.#options));
  }

  async inspect(revision: Revision): Promise<Offer> {
    const job = this.#job;
    if (job === undefined) throw new TypeError("inspect() before resolve()");
    // Loaded here, because it loads node:zlib.
    const { RemoteModels } = await import("./remote_models.ts");
    this.#remote = await RemoteModels.open(this.#context, this.#store, {
      ...this.#request(job),
      path: await partialPath(this.#store, `parts of runpod ${revision.source} ${job.id}`),
    }, this.#options);
    const models = this.#remote?.models ?? await this.#downloadModels(job, revision);
    // Without a manifest, the start time orders the jobs.
    return models.offer(revision, Math.floor(job.startedAt.getTime() / 1000));
  }

  async stage(offer: Offer, staging: Staging): Promise<void> {
    if (this.#job === undefined) throw new TypeError("stage() before resolve()");
    const remote = this.#remote;
    if (remote !== undefined && await this.#explained(() => remote.stage(staging))) return;
    // Its scratch file would take space beside the whole archive.
    await remote?.[Symbol.asyncDispose]();
    this.#remote = undefined;
    const models = this.#models ?? await this.#downloadModels(this.#job, offer.revision);
    if (models.claim?.text !== offer.claim?.text) throw changedMeanwhile(nameOf(this.#job));
    await models.stage(staging);
  }

  /** Does nothing: the pull itself remembers the activated job. */
  accept(): Promise<void> {
    return Promise.resolve();
  }

  /** Downloads the archive of a job and opens it. */
  async #downloadModels(job: FinishedJob, revision: Revision): Promise<ArchivedModels> {
    const path = this.#archive = await partialPath(this.#store, `runpod ${revision.source} ${job.id}`);
    await this.#download(job, path);
    return this.#models = await ArchivedModels.open(
      this.#context,
      [{ path, name: nameOf(job) }],
      this.#options,
    );
  }

  async #download(job: FinishedJob, path: string): Promise<void> {
    this.#context.log.info(`downloading ${nameOf(job)} from ${new URL(job.archiveUrl).host}`);
    await this.#explained(() =>
      download(this.#context, {
        ...this.#request(job),
        path,
        expected: {},
        onSize: (bytes) => requireSpace(this.#context, this.#store.partials, bytes),
      })
    );
  }

  /** Does work that downloads, and adds to its errors what becomes of the job. */
  async #explained<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      if (error.code === "ADDRESS_EXPIRED") throw expired(error, this.otherThanRefused);
      if (!(error instanceof TransientError) && this.otherThanRefused !== undefined) {
        error.addHint(this.otherThanRefused);
      }
      throw error;
    }
  }

  /** Returns how to read the archive of a job: first at the known address, and then at a new one. */
  #request(job: FinishedJob): Pick<DownloadRequest, "what" | "limits" | "locate"> {
    const { downloadTimeoutMs: totalMs, downloadBytesMax: bytesMax, bytesPerSecondMax } = this.#options;
    let isFirst = true;
    return {
      what: nameOf(job),
      limits: { stallMs: Math.min(STALL_MS, totalMs), totalMs, bytesMax, bytesPerSecondMax },
      locate: async () => {
        const url = isFirst ? job.archiveUrl : await this.#runner.newArchiveUrl(job);
        isFirst = false;
        return { url, credentials: this.#client.credentialsFor(url), isSigned: true };
      },
    };
  }
}

/** Returns what a pull would do about a job now. @param store `undefined` before the first pull */
export function planJob(
  context: Pick<Context, "clock">,
  store: Store | undefined,
  options: Pick<RunPodSourceOptions, "api" | "subdir" | "startsNewJob">,
): NextStep {
  if (store === undefined) return { do: "start" };
  return nextStep(memoryOf(store, options.api).find(), {
    activated: activatedJob(store, options),
    now: context.clock.now(),
    lifeMs: jobLifeMs(options.api),
    isNewWanted: options.startsNewJob,
  });
}

function nameOf({ id }: FinishedJob): string {
  return `the archive of RunPod job ${id}`;
}

function changedMeanwhile(name: string): UnreachableError {
  return new UnreachableError(`Cannot read ${name}: it changed during the pull`, {
    code: "CHANGING",
    hint: "run again",
  });
}

function memoryOf(store: Store, api: RunPodApi): JobMemory {
  return new JobMemory(store, redactUrls(api.triggerUrl));
}

function activatedJob(
  store: Store,
  options: Pick<RunPodSourceOptions, "api" | "subdir">,
): string | undefined {
  return findRevision(store, sourceOf(options))?.revision;
}

function sourceOf({ api, subdir }: Pick<RunPodSourceOptions, "api" | "subdir">): string {
  return `runpod ${redactUrls(api.triggerUrl)} ${subdir}`;
}

function expired(error: UnreachableError, otherwise: string | undefined): UnreachableError {
  const wanted =
    "the worker must return an address that can be read without credentials, for as long as a pull may take";
  return new UnreachableError(
    `${error.message}; the job was requested again, and returned no working address`,
    {
      code: "ARCHIVE_EXPIRED",
      cause: error,
      hint: [wanted, otherwise].filter(Boolean).join("; "),
    },
  );
}
