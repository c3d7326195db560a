import { buildCommand } from "@stricli/core";
import { EXIT, type ExitCode, UsageError } from "../lib/core/errors.ts";
import { expandHome } from "../lib/core/home_folder.ts";
import { uploadArchiveToHub } from "../lib/huggingface/archive_upload.ts";
import { type HubSettings, hubSettings } from "../lib/huggingface/hub_settings.ts";
import type { Timed } from "../lib/pipeline/run_report.ts";
import { type TrainReport, trainToArchive } from "../lib/pipeline/train.ts";
import { refuseMissingModels } from "../lib/release/model_set.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import type { StepName, Steps } from "../lib/pipeline/current_run.ts";
import { findTestInput, type JobHandler, serveJobs, tryJob } from "../lib/runpod/serve_jobs.ts";
import { WorkerApi } from "../lib/runpod/worker_api.ts";
import type { Seal } from "../lib/signing/seal.ts";
import { openStore } from "../lib/store/store.ts";
import { readTrainJob } from "../lib/training/train_job.ts";
import { UPLOAD_TIMEOUT_MS, type UploadArchive } from "../lib/training/upload_archive.ts";
import { trainingCommand, type TrainingOptions, type TrainingSettings } from "../lib/training/train.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  type CommonFlags,
  jsonFlag,
  switchFlag,
  textFlag,
  TRAINING_FLAGS,
  type TrainingFlags,
  trainingOptions,
} from "./_options.ts";
import { defineProgram, type Invocation, main, type Program, withSession } from "./_command.ts";
import type { Session } from "./_session.ts";
import { formatBytes, formatDuration, plural } from "../lib/core/format.ts";
import type { Output } from "./_output.ts";
import { releaseSeal, runRecorded } from "./_run.ts";
import { SUMMARIES } from "./_help.ts";

interface TrainFlags extends CommonFlags, TrainingFlags {
  readonly archivePath?: string;
  readonly serveRunpod?: boolean;
  readonly testInput?: Record<string, unknown>;
}

/** The progress that clients of a RunPod job read during each step. */
const DOING: Readonly<Partial<Record<StepName, string>>> = {
  train: "training",
  read: "checking the models",
  archive: "writing the archive",
};

/** Where the original's script writes it. */
const ARCHIVE_PATH = "artifacts/exports/models_latest.zip";

export const program: Program = defineProgram(
  "train",
  buildCommand<TrainFlags, [], Invocation>({
    docs: { brief: SUMMARIES.train },
    parameters: {
      flags: {
        ...COMMON_FLAGS,
        ...TRAINING_FLAGS,
        skipTraining: switchFlag("archive the model folder without training"),
        archivePath: textFlag(`path of the archive (default: ${ARCHIVE_PATH})`),
        serveRunpod: switchFlag("as a RunPod worker: train for each job, and upload the archive"),
        testInput: jsonFlag(
          'with --serve-runpod: do this one job, {"input": {…}}, without RunPod (default: test_input.json)',
        ),
      },
      aliases: COMMON_ALIASES,
    },
    func: withSession((session, flags) =>
      flags.serveRunpod ? serve(session, flags) : runTrain(session, flags)
    ),
  }),
);

/** One training, recorded and shown. */
async function runTrain(session: Session, flags: TrainFlags): Promise<void> {
  if (flags.testInput !== undefined) {
    throw new UsageError("Cannot do the job of --test-input: --test-input goes with --serve-runpod", {
      code: "FLAGS_CONFLICT",
      hint: "add --serve-runpod to do the job, or leave --test-input out to train",
    });
  }
  const options = trainingOptions(flags);
  // Before a store is made beside a mistyped name.
  if (flags.skipTraining) refuseMissingModels(session.context, session.location.modelsDir);
  const report = await trainOnce(session, flags, options, () => releaseSeal(session));
  session.output.result(
    trainJson(session, report, options),
    () => trainLines(session.output, report),
  );
}

/** Serves RunPod until it is stopped. */
async function serve(session: Session, flags: TrainFlags): Promise<ExitCode | void> {
  const { context, output } = session;
  const defaults = trainingOptions(flags);
  if (!flags.skipTraining) trainingCommand(trainingSettings(session), defaults);
  const seal = await releaseSeal(session);
  const toHub = (repoId?: string): UploadArchive => {
    const hub = hubOf(session, repoId);
    return (jobContext, { path }) => uploadArchiveToHub(jobContext, hub, path);
  };
  const upload = session.settings.huggingface.repo_id === undefined ? undefined : toHub();
  const handle: JobHandler = async (jobContext, job, tell) => {
    const { options, upload: send } = readTrainJob(job.input, {
      options: defaults,
      upload,
      uploadToHub: toHub,
    });
    const inJob = { ...session, context: jobContext };
    const report = await trainOnce(inJob, flags, options, () => Promise.resolve(seal), { id: job.id, tell });
    const { archivePath: path, archiveBytes: bytes } = report;
    tell(`uploading the archive, ${formatBytes(bytes)}`);
    return {
      ...trainJson(inJob, report, options),
      models_archive_url: await send(jobContext, { path, bytes }),
    };
  };
  const tried = flags.testInput ?? findTestInput(context);
  if (tried === undefined) {
    session.stopWithin(trainingSettings(session).timeoutMs + UPLOAD_TIMEOUT_MS);
    return await serveJobs(context, new WorkerApi(context.env), handle);
  }
  const { input = {} } = tried;
  const result = await tryJob(context, { id: "local_test", input }, handle);
  output.document(result, () => [JSON.stringify(result, undefined, 2)]);
  return "error" in result ? EXIT.failed : EXIT.done;
}

function hubOf({ context, settings }: Session, repoId: string | undefined): HubSettings {
  const { huggingface } = settings;
  return hubSettings(
    { ...settings, huggingface: { ...huggingface, repo_id: repoId ?? huggingface.repo_id } },
    context,
  );
}

async function trainOnce(
  session: Session,
  flags: TrainFlags,
  options: TrainingOptions,
  findSeal: () => Promise<Seal | undefined>,
  job?: { readonly id: string; readonly tell: (doing: string) => void },
): Promise<Timed<TrainReport>> {
  const { context, output, location } = session;
  const settings = trainingSettings(session);
  const skipsTraining = flags.skipTraining === true;
  if (!skipsTraining) trainingCommand(settings, options);
  const store = openStore(context.fs, location, context.log);
  const carrier = context.env.get("GITHUB_ACTIONS") === "true" ? "github-actions" : "runpod";
  return await runRecorded(session, store, "train", async (run, observed) => {
    const seal = await findSeal();
    const steps: Steps = {
      step: async (name, work) => {
        job?.tell(DOING[name] ?? name);
        return await run.step(name, work);
      },
    };
    return await trainToArchive(observed, store, steps, {
      settings,
      options,
      skipsTraining,
      archivePath: expandHome(flags.archivePath ?? ARCHIVE_PATH, context.env),
      origin: { carrier, ...(job === undefined ? {} : { revision: job.id }) },
      seal,
    }, (chunk) => output.passThrough(chunk));
  });
}

function trainingSettings({ settings, location }: Session): TrainingSettings {
  const { train_command: command, train_timeout_sec } = settings.publisher;
  return { command, timeoutMs: train_timeout_sec * 1000, modelsDir: location.modelsDir };
}

/** The keys of the original's script, and what tells the release. */
function trainJson(
  { location }: Session,
  report: TrainReport,
  options: TrainingOptions,
): Record<string, unknown> {
  return {
    status: "ok",
    mode: "train_only",
    paper: options.paper,
    models_dir: location.modelsDir,
    archive_path: report.archivePath,
    archive_files: report.files,
    archive_bytes: report.archiveBytes,
    ...report.counts,
    release: report.release,
    sequence: report.sequence,
  };
}

function trainLines(output: Output, report: Timed<TrainReport>): string[] {
  const { release, sequence, files, bytes, archivePath, archiveBytes, durationMs } = report;
  return [
    `${output.paint("green", "✓")} wrote release ${
      output.paint("bold", shortDigest(release))
    } (sequence ${sequence}) into ${archivePath}`,
    `  ${plural(files, "file")}, ${formatBytes(bytes ?? 0)}; the archive has ${
      formatBytes(archiveBytes)
    }, in ${formatDuration(durationMs)}`,
  ];
}

if (import.meta.main) await main(program);
