import { buildCommand } from "@stricli/core";
import { planGitPublish, type PublishPlan } from "../lib/carriers/git_publish_plan.ts";
import {
  type GitPublication,
  GitPublisher,
  type GitPublisherOptions,
} from "../lib/carriers/git_publisher.ts";
import { refuseModelsInClone } from "../lib/carriers/git_publish_guards.ts";
import { gitRegistrySettings } from "../lib/carriers/git_settings.ts";
import { redactArguments } from "../lib/core/redact_arguments.ts";
import { TemporaryFolder } from "../lib/core/folders.ts";
import { publish, type PublishReport, refuseTrainingIntoRelease } from "../lib/pipeline/publish.ts";
import type { Timed } from "../lib/pipeline/run_report.ts";
import { countChanges } from "../lib/release/changes.ts";
import { shortDigest, totalBytes } from "../lib/release/manifest.ts";
import { FolderIndex } from "../lib/git/folder_index.ts";
import { NO_CACHE, readModelSet, refuseMissingModels } from "../lib/release/model_set.ts";
import { StatCache } from "../lib/store/stat_cache.ts";
import { findStore, openStore, stateDirOf } from "../lib/store/store.ts";
import {
  train,
  trainingCommand,
  type TrainingOptions,
  type TrainingSettings,
} from "../lib/training/train.ts";
import { changeLines, type Output } from "./_output.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  type CommonFlags,
  GIT_FLAGS,
  type GitFlags,
  switchFlag,
  textFlag,
  TRAINING_FLAGS,
  type TrainingFlags,
  trainingOptions,
} from "./_options.ts";
import { defineProgram, type Invocation, main, type Program, withSession } from "./_command.ts";
import { narrowPermissions, type Session } from "./_session.ts";
import { formatBytes, formatDuration, plural } from "../lib/core/format.ts";
import { releaseSeal, runRecorded } from "./_run.ts";
import { SUMMARIES } from "./_help.ts";

export interface PublishFlags extends CommonFlags, GitFlags, TrainingFlags {
  readonly commitMessage?: string;
  readonly allowShrink?: boolean;
  readonly dryRun?: boolean;
}

export const program: Program = defineProgram(
  "publish",
  buildCommand<PublishFlags, [], Invocation>({
    docs: { brief: SUMMARIES.publish },
    parameters: {
      flags: {
        ...COMMON_FLAGS,
        ...GIT_FLAGS,
        ...TRAINING_FLAGS,
        commitMessage: textFlag("commit message (default: chore(models): sync <time>)"),
        allowShrink: switchFlag("accept that more than half of the published files disappear"),
        dryRun: switchFlag("show what would be published, and change nothing"),
      },
      aliases: COMMON_ALIASES,
    },
    func: withSession((session, flags) =>
      flags.dryRun ? previewPublish(session, flags) : runPublish(session, flags)
    ),
  }),
);

/** One publish, recorded and shown. */
export async function runPublish(session: Session, flags: PublishFlags): Promise<void> {
  const { context, output, location } = session;
  narrowPermissions(session, ["run"]);
  refuseClone(session);
  const training = trainingOf(session, flags);
  // Before a store is made beside a mistyped name.
  if (training === undefined) refuseMissingModels(context, location.modelsDir);
  const store = openStore(context.fs, location, context.log);
  const report = await runRecorded(session, store, "publish", async (run, observed) => {
    const seal = await releaseSeal(session);
    const publisherSettings = { ...publisherOptions(session, flags, store.root), seal };
    if (training !== undefined) {
      refuseTrainingIntoRelease(store);
      const show = (chunk: Uint8Array) => output.passThrough(chunk);
      await run.step("train", () => train(observed, training.settings, training.options, show));
    }
    const owner = { ...run, host: context.host };
    return await publish(
      observed,
      store,
      run,
      new FolderIndex(observed, store.root),
      () => GitPublisher.open(observed, store, { ...publisherSettings, owner }),
    );
  });
  output.result(publishJson(report), () => publishLines(output, report));
}

async function previewPublish(session: Session, flags: PublishFlags): Promise<void> {
  const { context, output, location } = session;
  refuseClone(session);
  const training = trainingOf(session, flags);
  const store = findStore(context.fs, location, context.log);
  await using scratch = new TemporaryFolder(context.fs, "dry-run");
  const cache = store === undefined ? NO_CACHE : StatCache.ofPublished(store);
  const set = await readModelSet(context, location.modelsDir, cache);
  const seal = await releaseSeal(session);
  const options = { ...publisherOptions(session, flags, stateDirOf(context.fs, location)), seal };
  const plan = await planGitPublish(context, options, set, scratch.path, store);
  const command = training === undefined
    ? null
    : redactArguments(trainingCommand(training.settings, training.options));
  const json = {
    dryRun: true,
    carrier: "git",
    trainCommand: command,
    bytes: totalBytes(set.files),
    ...plan,
  };
  output.answer(json, () => planLines(output, plan, command));
}

/** Checks the settings that a publish reads. @throws what the publish would throw of them */
export function checkPublish(session: Session, flags: PublishFlags): void {
  const { context, settings, location } = session;
  refuseClone(session);
  trainingOf(session, flags);
  gitRegistrySettings(settings, context, stateDirOf(context.fs, location));
}

/** Before a store is made beside models that are inside the clone. */
function refuseClone({ context, settings, location }: Session): void {
  if (settings.repo_dir === undefined) return;
  refuseModelsInClone(context.fs, location.modelsDir, settings.repo_dir);
}

interface Training {
  readonly settings: TrainingSettings;
  readonly options: TrainingOptions;
}

/** What to train before publishing, if anything; a missing training command is told before any work begins. */
function trainingOf(session: Session, flags: PublishFlags): Training | undefined {
  const { publisher, models_dir } = session.settings;
  const options = trainingOptions(flags);
  if (flags.skipTraining || !publisher.train_before_push) return undefined;
  const training: Training = {
    settings: {
      command: publisher.train_command,
      timeoutMs: publisher.train_timeout_sec * 1000,
      modelsDir: models_dir,
    },
    options,
  };
  trainingCommand(training.settings, training.options);
  return training;
}

function publisherOptions(
  session: Session,
  flags: PublishFlags,
  stateDir: string,
): Omit<GitPublisherOptions, "owner"> {
  const { settings, context } = session;
  return {
    registry: gitRegistrySettings(settings, context, stateDir),
    subdir: settings.repo_models_subdir,
    lfs: settings.lfs,
    allowDirtyWorktree: flags.allowDirtyWorktree === true,
    allowShrink: flags.allowShrink === true,
    commitMessage: flags.commitMessage,
  };
}

type Report = Timed<PublishReport & { readonly publication: GitPublication }>;

function publishJson(report: Report): Record<string, unknown> {
  const { outcome, release, previous, sequence, files, bytes, changed, durationMs, publication, runId } =
    report;
  const { committed, pushed, branch, remote, commit, otherWriters } = publication;
  return {
    outcome,
    release,
    previous: previous ?? null,
    sequence,
    files,
    bytes,
    changed,
    durationMs,
    carrier: report.carrier,
    committed,
    pushed,
    branch,
    remote,
    commit: commit ?? null,
    ...(otherWriters.length === 0 ? {} : { otherWriters }),
    runId,
  };
}

function publishLines(output: Output, report: Report): string[] {
  const { outcome, release, sequence, files, bytes, changed, durationMs, publication } = report;
  const name = `${output.paint("bold", shortDigest(release))} (sequence ${sequence})`;
  const size = `  ${plural(files, "file")}, ${formatBytes(bytes)}`;
  const target = `${publication.remote}/${publication.branch}`;
  if (outcome === "unchanged") {
    return [`${output.paint("green", "✓")} unchanged: ${target} holds release ${name} already`, size];
  }
  const what = publication.committed ? `${changed} changed, pushed` : "an earlier commit was pushed";
  return [
    `${output.paint("green", "✓")} published release ${name}`,
    size,
    `  ${what} to ${target} as ${publication.commit?.slice(0, 12)}, in ${formatDuration(durationMs)}`,
    ...publication.otherWriters.map(({ commit, author, subject }) =>
      `  over commit ${commit.slice(0, 12)} ("${subject}", by ${author}), which model-sync did not publish`
    ),
  ];
}

function planLines(output: Output, plan: PublishPlan, command: readonly string[] | null): string[] {
  const target = `${plan.remote}/${plan.branch}`;
  const trained = command === null
    ? []
    : [`would train first: ${command.join(" ")}`, "and then, with the models as they are now:"];
  if (plan.outcome === "unchanged") {
    return [...trained, `nothing to publish: ${target} holds these models already`];
  }
  return [
    ...trained,
    `would publish release ${
      output.paint("bold", shortDigest(plan.release))
    } (sequence ${plan.sequence}) to ${target}, ` +
    `${plural(countChanges(plan.changes), "file")} changed:`,
    ...changeLines(output, plan.changes),
    ...(plan.lfs.length === 0 ? [] : [`  ${plural(plan.lfs.length, "file")} through Git LFS`]),
  ];
}

if (import.meta.main) await main(program);
