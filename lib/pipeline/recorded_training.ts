import { expandHome } from "../core/home_folder.ts";
import { formatBytes } from "../core/format.ts";
import { uploadArchiveToHub } from "../huggingface/archive_upload.ts";
import { hubSettings } from "../huggingface/hub_settings.ts";
import { refuseMissingModels } from "../release/model_set.ts";
import type { JobHandler } from "../runpod/serve_jobs.ts";
import type { Seal } from "../signing/seal.ts";
import { openStore } from "../store/store.ts";
import { readTrainJob } from "../training/train_job.ts";
import { trainingCommand, type TrainingOptions, type TrainingSettings } from "../training/train.ts";
import { UPLOAD_TIMEOUT_MS, type UploadArchive } from "../training/upload_archive.ts";
import { releaseSeal } from "./configured_signing.ts";
import type { StepName, Steps } from "./current_run.ts";
import { type CommandScope, reportedRun } from "./reported_run.ts";
import type { Timed } from "./run_report.ts";
import { type TrainReport, trainToArchive } from "./train.ts";

/** The operator's choices for trainings. */
export interface TrainingChoices {
  /** Whether to archive the model folder without training. */
  readonly skipsTraining: boolean;
  readonly options: TrainingOptions;
  /** The path of the archive; `~` is the home folder. */
  readonly archivePath: string;
  /** Prints what the training prints. */
  readonly show: (chunk: Uint8Array) => void;
}

/** A training that has ended, with the keys of the result that the seed's script printed. */
export interface RecordedTraining {
  readonly report: Timed<TrainReport>;
  readonly json: Record<string, unknown>;
}

/** Trains and writes the archive, as a recorded run. */
export async function recordedTraining(
  scope: CommandScope,
  choices: TrainingChoices,
): Promise<RecordedTraining> {
  const { context, location, settings } = scope;
  // A mistyped name must not leave a store beside it.
  if (choices.skipsTraining) refuseMissingModels(context, location.modelsDir);
  return await train(scope, choices, () => releaseSeal(context, settings.signing));
}

/**
 * Returns a handler that trains for each job of RunPod, uploads the archive, and returns the result with its address.
 *
 * @throws {UsageError} where no job could be trained, for want of a command or of a key
 */
export async function trainingJobs(scope: CommandScope, choices: TrainingChoices): Promise<JobHandler> {
  const { context, settings } = scope;
  if (!choices.skipsTraining) trainingCommand(trainingSettings(scope), choices.options);
  const seal = await releaseSeal(context, settings.signing);
  const toHub = (repoId: string | undefined): UploadArchive => {
    const { huggingface } = settings;
    const repo_id = repoId ?? huggingface.repo_id;
    const hub = hubSettings({ ...settings, huggingface: { ...huggingface, repo_id } }, context);
    return (jobContext, { path }) => uploadArchiveToHub(jobContext, hub, path);
  };
  const upload = settings.huggingface.repo_id === undefined ? undefined : toHub(undefined);
  const defaults = { options: choices.options, upload, uploadToHub: toHub };
  return async (jobContext, job, showStep) => {
    const { options, upload: send } = readTrainJob(job.input, defaults);
    const inJob = { ...scope, context: jobContext };
    const ofJob = { ...choices, options };
    const { report, json } = await train(inJob, ofJob, () => Promise.resolve(seal), { id: job.id, showStep });
    const { archivePath: path, archiveBytes: bytes } = report;
    showStep(`uploading the archive, ${formatBytes(bytes)}`);
    return { ...json, models_archive_url: await send(jobContext, { path, bytes }) };
  };
}

/** Returns the longest time that a job may take, in milliseconds: a worker that is stopped ends its job first. */
export function longestJobMs(scope: CommandScope): number {
  return trainingSettings(scope).timeoutMs + UPLOAD_TIMEOUT_MS;
}

/** The progress that clients of a RunPod job read during each step. */
const DOING: Readonly<Partial<Record<StepName, string>>> = {
  train: "training",
  read: "checking the models",
  archive: "writing the archive",
};

async function train(
  scope: CommandScope,
  { skipsTraining, options, archivePath, show }: TrainingChoices,
  findSeal: () => Promise<Seal | undefined>,
  job?: { readonly id: string; readonly showStep: (doing: string) => void },
): Promise<RecordedTraining> {
  const { context, location } = scope;
  const settings = trainingSettings(scope);
  if (!skipsTraining) trainingCommand(settings, options);
  const store = openStore(context.fs, location, context.log);
  const carrier = context.env.get("GITHUB_ACTIONS") === "true" ? "github-actions" : "runpod";
  const report = await reportedRun(scope, store, "train", async (run, observed) => {
    const seal = await findSeal();
    const steps: Steps = {
      step: async (name, work) => {
        job?.showStep(DOING[name] ?? name);
        return await run.step(name, work);
      },
    };
    return await trainToArchive(observed, store, steps, {
      settings,
      options,
      skipsTraining,
      archivePath: expandHome(archivePath, context.env),
      origin: { carrier, ...(job === undefined ? {} : { revision: job.id }) },
      seal,
    }, show);
  });
  return { report, json: resultOf(location.modelsDir, report, options) };
}

function trainingSettings({ settings, location }: CommandScope): TrainingSettings {
  const { train_command: command, train_timeout_sec } = settings.publisher;
  return { command, timeoutMs: train_timeout_sec * 1000, modelsDir: location.modelsDir };
}

/** The keys of the seed's script, and the release. */
function resultOf(
  modelsDir: string,
  report: TrainReport,
  options: TrainingOptions,
): Record<string, unknown> {
  return {
    status: "ok",
    mode: "train_only",
    paper: options.paper,
    models_dir: modelsDir,
    archive_path: report.archivePath,
    archive_files: report.files,
    archive_bytes: report.archiveBytes,
    ...report.counts,
    release: report.release,
    sequence: report.sequence,
  };
}
