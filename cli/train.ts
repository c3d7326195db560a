import { buildCommand } from "@stricli/core";
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
import { SUMMARIES } from "./_help.ts";

interface TrainFlags extends CommonFlags, TrainingFlags {
  readonly archivePath?: string;
  readonly serveRunpod?: boolean;
  readonly testInput?: Record<string, unknown>;
}

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

/** Trains as a recorded run, and prints the result. */
async function runTrain(session: Session, flags: TrainFlags): Promise<void> {
  if (flags.testInput !== undefined) {
    throw new UsageError("Cannot do the job of --test-input: --test-input goes with --serve-runpod", {
      code: "FLAGS_CONFLICT",
      hint: "add --serve-runpod to do the job, or leave --test-input out to train",
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
