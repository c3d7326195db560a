import { EXIT, type ExitCode, UsageError } from "../lib/core/errors.ts";
import {
  longestJobMs,
  recordedTraining,
  type TrainingChoices,
  trainingJobs,
} from "../lib/pipeline/recorded_training.ts";
import type { Timed } from "../lib/pipeline/run_report.ts";
import type { TrainReport } from "../lib/pipeline/train.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { findTestInput, serveJobs, tryJob } from "../lib/runpod/serve_jobs.ts";
import { WorkerApi } from "../lib/runpod/worker_api.ts";
import { TRAINING_OPTIONS, trainingOptions } from "./_options.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import type { Session } from "./_session.ts";
import { formatBytes, formatDuration, plural } from "../lib/core/format.ts";
import type { Output } from "./_output.ts";
import { SUMMARIES } from "./_help.ts";
import { fileOption, jsonOption, type Options, switchOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";

/** The path of the original script. */
const ARCHIVE_PATH = "artifacts/exports/models_latest.zip";

const OPTIONS = {
  archivePath: fileOption({
    group: "Options",
    brief: "Path of the archive",
    standard: ARCHIVE_PATH,
  }),
  serveRunpod: switchOption({
    group: "Options",
    brief: "Serve RunPod jobs: train and upload each archive",
  }),
  testInput: jsonOption({
    group: "Options",
    brief: "With --serve-runpod, do one job without RunPod",
    note: 'such as {"input": {}}',
    standard: "test_input.json, if it exists",
  }),
  ...TRAINING_OPTIONS,
  skipTraining: switchOption({ group: "Training", brief: "Archive the model folder without training" }),
} satisfies Options;

type TrainFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "train",
  command: command({
    summary: SUMMARIES.train,
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Train and write an archive", "model-sync train --archive-path out/models.zip"],
      ["Write an archive without training", "model-sync train --skip-training"],
      ["Serve the jobs of a RunPod endpoint", "model-sync train --serve-runpod"],
    ],
    run: (session, flags) => flags.serveRunpod ? serve(session, flags) : runTrain(session, flags),
  }),
};

/** Trains as a recorded run, and prints the result. */
async function runTrain(session: Session, flags: TrainFlags): Promise<void> {
  if (flags.testInput !== undefined) {
    throw new UsageError("Cannot use --test-input: it needs --serve-runpod", {
      code: "FLAGS_CONFLICT",
      hint: "add --serve-runpod to do the job, or remove --test-input to train",
    });
  }
  const { report, json } = await recordedTraining(session, choices(session, flags));
  session.output.result(json, () => trainLines(session.output, report));
}

/** Serves RunPod until it is stopped, or does one job without RunPod. */
async function serve(session: Session, flags: TrainFlags): Promise<ExitCode | void> {
  const { context, output } = session;
  const handle = await trainingJobs(session, choices(session, flags));
  const tried = flags.testInput ?? findTestInput(context);
  if (tried === undefined) {
    session.stopWithin(longestJobMs(session));
    return await serveJobs(context, new WorkerApi(context.env), handle);
  }
  const { input = {} } = tried;
  const result = await tryJob(context, { id: "local_test", input }, handle);
  output.document(result, () => [JSON.stringify(result, undefined, 2)]);
  return "error" in result ? EXIT.failed : EXIT.done;
}

function choices({ output }: Session, flags: TrainFlags): TrainingChoices {
  return {
    skipsTraining: flags.skipTraining === true,
    options: trainingOptions(flags),
    archivePath: flags.archivePath ?? ARCHIVE_PATH,
    show: (chunk) => output.passThrough(chunk),
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
