import { archiveLimits } from "../lib/carriers/archived_models.ts";
import { runPodApi } from "../lib/carriers/runpod_settings.ts";
import { RunPodSource, type RunPodSourceOptions } from "../lib/carriers/runpod_source.ts";
import { redactUrls } from "../lib/core/secret.ts";
import { planRunPodPull, type ShownRequest } from "../lib/pipeline/plan_runpod_pull.ts";
import { inStoreOfPull } from "../lib/pipeline/recorded_pull.ts";
import type { NextStep } from "../lib/runpod/job_memory.ts";
import { LIMIT_RATE, PULLING_OPTIONS, RUNPOD_OPTIONS } from "./_options.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import type { Session } from "./_session.ts";
import { folderLines, runPulling } from "./_pull.ts";
import { SUMMARIES } from "./_help.ts";
import { type Options, switchOption, textOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";

/** The original script accepts these for every command. A RunPod job ignores them, so that command lines stay valid. */
const IGNORED = { hidden: true, brief: "Ignored: an option of the git commands" } as const;
const IGNORED_OPTIONS = {
  repoDir: textOption({ group: "Git registry", placeholder: "DIR", ...IGNORED }),
  repoModelsSubdir: textOption({ group: "Git registry", placeholder: "DIR", ...IGNORED }),
  remote: textOption({ group: "Git registry", placeholder: "NAME", ...IGNORED }),
  branch: textOption({ group: "Git registry", placeholder: "NAME", ...IGNORED }),
  allowDirtyWorktree: switchOption({ group: "Git registry", ...IGNORED }),
} satisfies Options;

const OPTIONS = {
  ...RUNPOD_OPTIONS,
  ...PULLING_OPTIONS,
  newJob: switchOption({ group: "Safety", brief: "Start a new job even if another may run" }),
  limitRate: LIMIT_RATE,
  ...IGNORED_OPTIONS,
} satisfies Options;

export type RunPodPullFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "runpod-pull",
  command: command({
    summary: SUMMARIES["runpod-pull"],
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Show the request that would start a job", "model-sync runpod-pull --dry-run"],
      ["Give the training two hours", "model-sync runpod-pull --job-timeout-sec 7200"],
      ["Start over, although a job of an earlier run may run", "model-sync runpod-pull --new-job"],
    ],
    run: (session, flags) =>
      flags.dryRun ? Promise.resolve(previewRunPodPull(session, flags)) : runRunPodPull(session, flags),
  }),
};

/** Pulls from RunPod as a recorded run, and prints the result. */
export async function runRunPodPull(session: Session, flags: RunPodPullFlags): Promise<void> {
  const options = sourceOptions(session, flags);
  await inStoreOfPull(session, async (store) => {
    await using source = new RunPodSource(session.context, options, store);
    await runPulling(session, flags, {
      command: "runpod-pull",
      needs: ["net"],
      prepare: (run) => run.step("train", () => source.prepare()),
      open: () => source,
      details: ({ job }, report) => ({
        pulled: true,
        provider: "runpod",
        job_id: job?.id ?? null,
        status: job?.status ?? null,
        download_url: job === undefined ? null : withoutQuery(job.archiveUrl),
        model_files: report.files,
        models_dir: report.modelsDir,
      }),
    });
  });
}

/** Prints what would be sent, or which job the pull would continue with. Nothing is sent. */
function previewRunPodPull(session: Session, flags: RunPodPullFlags): void {
  const { step, request, folder, modelsDir } = planRunPodPull(session, sourceOptions(session, flags));
  const json = {
    dryRun: true,
    carrier: "runpod",
    action: step.do,
    jobId: step.do === "attach" ? step.id : null,
    startedAt: step.do === "start" ? null : step.at,
    request: step.do === "start" ? request : null,
    ...(folder === undefined ? {} : { folder }),
  };
  session.output.answer(json, () => [...planLines(step, request), ...folderLines(modelsDir, folder, flags)]);
}

function planLines(step: NextStep, request: ShownRequest): string[] {
  switch (step.do) {
    case "attach":
      return [`would continue with RunPod job ${step.id}, started at ${step.at}; nothing would be started`];
    case "refuse":
      return [
        `would refuse: a job may be running, the start request sent at ${step.at} got no response`,
        "  start another one with: model-sync runpod-pull --new-job",
      ];
    case "start":
      return [
        ...(step.because === undefined ? [] : [step.because]),
        `would start a job: ${request.method} ${request.url}`,
        `  with the headers ${request.headers.join(", ")}`,
        ...(request.body === null ? [] : [`  and the body ${JSON.stringify(request.body)}`]),
      ];
  }
}

function sourceOptions(session: Session, flags: RunPodPullFlags): RunPodSourceOptions {
  const { settings, context } = session;
  const { runpod, archives } = settings;
  return {
    api: runPodApi(settings, context, flags.apiKey),
    pollIntervalMs: runpod.poll_interval_sec * 1000,
    downloadTimeoutMs: runpod.download_timeout_sec * 1000,
    downloadBytesMax: archives.max_download_bytes,
    bytesPerSecondMax: flags.limitRate,
    limits: archiveLimits(settings),
    subdir: runpod.extract_subdir,
    cancels: flags.noCancel !== true,
    startsNewJob: flags.newJob === true,
  };
}

/** Removes the query, which is a credential in a signed address. */
function withoutQuery(address: string): string {
  const url = new URL(address);
  url.search = "";
  url.hash = "";
  return redactUrls(url.href);
}

if (import.meta.main) await main(program);
