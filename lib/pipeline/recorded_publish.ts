import { refuseModelsInClone } from "../carriers/git_publish_guards.ts";
import { planGitPublish, type PublishPlan } from "../carriers/git_publish_plan.ts";
import { type GitPublication, GitPublisher, type GitPublisherOptions } from "../carriers/git_publisher.ts";
import { gitRegistrySettings } from "../carriers/git_settings.ts";
import { redactArguments } from "../core/redact_arguments.ts";
import { TemporaryFolder } from "../core/folders.ts";
import { FolderIndex } from "../git/folder_index.ts";
import { totalBytes } from "../release/manifest.ts";
import { NO_CACHE, readModelSet, refuseMissingModels } from "../release/model_set.ts";
import { StatCache } from "../store/stat_cache.ts";
import { findStore, openStore, stateDirOf } from "../store/store.ts";
import { train, trainingCommand, type TrainingOptions, type TrainingSettings } from "../training/train.ts";
import { releaseSeal } from "./configured_signing.ts";
import { publish, type PublishReport, refuseTrainingIntoRelease } from "./publish.ts";
import { refuseInvalid } from "./refuse_invalid.ts";
import { type CommandScope, reportedRun } from "./reported_run.ts";
import type { Timed } from "./run_report.ts";

/** The operator's choices for one publish. */
export interface PublishChoices {
  /** Whether to publish the model folder without training, whatever is configured. */
  readonly skipsTraining: boolean;
  readonly training: TrainingOptions;
  readonly allowDirtyWorktree: boolean;
  readonly allowShrink: boolean;
  /** `undefined` for the usual one, which names the time. */
  readonly commitMessage: string | undefined;
}

/** A publish to the git registry that has ended. */
export type RecordedPublish = Timed<PublishReport & { readonly publication: GitPublication }>;

/**
 * Trains where the settings say so, and publishes the model folder to the git registry, as a recorded run.
 *
 * @param show prints what the training prints
 */
export async function recordedPublish(
  scope: CommandScope,
  choices: PublishChoices,
  show: (chunk: Uint8Array) => void,
): Promise<RecordedPublish> {
  const { context, location, settings } = scope;
  refuseClone(scope);
  const training = trainingOf(scope, choices);
  // A mistyped name must not leave a store beside it.
  if (training === undefined) refuseMissingModels(context, location.modelsDir);
  const store = openStore(context.fs, location, context.log);
  return await reportedRun(scope, store, "publish", async (run, observed) => {
    const seal = await releaseSeal(context, settings.signing);
    const owner = { ...run, host: context.host };
    const options = { ...publisherOptions(scope, choices, store.root), seal, owner };
    if (training !== undefined) {
      refuseTrainingIntoRelease(store);
      await run.step("train", () => train(observed, training, choices.training, show));
    }
    return await publish(observed, store, run, {
      memory: new FolderIndex(observed, store.root),
      open: () => GitPublisher.open(observed, store, options),
      validate: settings.activation.validate,
    });
  });
}

/** The steps that a publish would take. */
export interface PublishPreview {
  readonly plan: PublishPlan;
  /** The training command that would run first, with secrets removed; `null` for none. */
  readonly trainCommand: readonly string[] | null;
  /** The size of the model folder. */
  readonly bytes: number;
}

/** Returns what a publish would do with the models that are in the folder now. Changes nothing. */
export async function planPublish(scope: CommandScope, choices: PublishChoices): Promise<PublishPreview> {
  const { context, location, settings } = scope;
  refuseClone(scope);
  const training = trainingOf(scope, choices);
  const store = findStore(context.fs, location, context.log);
  await using scratch = new TemporaryFolder(context.fs, "dry-run");
  const cache = store === undefined ? NO_CACHE : StatCache.ofPublished(store);
  const set = await readModelSet(context, location.modelsDir, cache);
  const seal = await releaseSeal(context, settings.signing);
  const options = { ...publisherOptions(scope, choices, stateDirOf(context.fs, location)), seal };
  const plan = await planGitPublish(context, options, set, scratch.path, store);
  if (plan.outcome === "published") await refuseInvalid(context, store, set, settings.activation.validate);
  const trainCommand = training === undefined
    ? null
    : redactArguments(trainingCommand(training, choices.training));
  return { plan, trainCommand, bytes: totalBytes(set.files) };
}

/** Checks the settings that a publish reads. @throws what the publish would throw */
export function checkPublish(
  scope: CommandScope,
  choices: Pick<PublishChoices, "skipsTraining" | "training">,
): void {
  const { context, settings, location } = scope;
  refuseClone(scope);
  trainingOf(scope, choices);
  gitRegistrySettings(settings, context, stateDirOf(context.fs, location));
}

/** Models inside the clone must not get a store beside them. */
function refuseClone({ context, settings, location }: CommandScope): void {
  if (settings.repo_dir === undefined) return;
  refuseModelsInClone(context.fs, location.modelsDir, settings.repo_dir);
}

/**
 * Returns what to train before the publish; `undefined` for no training.
 *
 * @throws {UsageError} code `TRAIN_COMMAND_MISSING`
 */
function trainingOf(
  { settings: { publisher, models_dir } }: CommandScope,
  { skipsTraining, training: options }: Pick<PublishChoices, "skipsTraining" | "training">,
): TrainingSettings | undefined {
  if (skipsTraining || !publisher.train_before_push) return undefined;
  const { train_command: command, train_timeout_sec } = publisher;
  const training = { command, timeoutMs: train_timeout_sec * 1000, modelsDir: models_dir };
  trainingCommand(training, options);
  return training;
}

function publisherOptions(
  { settings, context }: CommandScope,
  { allowDirtyWorktree, allowShrink, commitMessage }: PublishChoices,
  stateDir: string,
): Omit<GitPublisherOptions, "owner"> {
  return {
    registry: gitRegistrySettings(settings, context, stateDir),
    subdir: settings.repo_models_subdir,
    lfs: settings.lfs,
    allowDirtyWorktree,
    allowShrink,
    commitMessage,
  };
}
