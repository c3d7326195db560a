import { join } from "node:path";
import { planGitPublish, type PublishPlan } from "../../lib/carriers/git_publish_plan.ts";
import { GitPublisher, type GitPublisherOptions } from "../../lib/carriers/git_publisher.ts";
import { FolderIndex } from "../../lib/git/folder_index.ts";
import { GitWithdrawal } from "../../lib/carriers/git_withdrawal.ts";
import { GitSource } from "../../lib/carriers/git_source.ts";
import type { GitSourceOptions } from "../../lib/carriers/git_source_options.ts";
import type { Context } from "../../lib/core/context.ts";
import { TemporaryFolder } from "../../lib/core/folders.ts";
import { withdraw, type WithdrawReport } from "../../lib/pipeline/withdraw.ts";
import type { RegistrySettings } from "../../lib/git/registry_settings.ts";
import { type PlanOptions, planPull, type PullPlan } from "../../lib/pipeline/plan_pull.ts";
import { publish } from "../../lib/pipeline/publish.ts";
import { pull } from "../../lib/pipeline/pull.ts";
import type { PullOptions } from "../../lib/pipeline/pull_options.ts";
import type { PullReport } from "../../lib/pipeline/pull_report.ts";
import { planRollback, rollback, type RollbackReport } from "../../lib/pipeline/rollback.ts";
import type { Safeguards } from "../../lib/pipeline/safeguards.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { NO_CACHE, readModelSet } from "../../lib/release/model_set.ts";
import type { Seal } from "../../lib/signing/seal.ts";
import { findStore, openStore, placeOf, type Store } from "../../lib/store/store.ts";
import assert from "node:assert/strict";
import { writeFiles } from "./temp_dir.ts";
import { isolatedSpawn, testContext } from "./test_context.ts";
import { bareRepository, commitAll, git } from "./test_git.ts";

/** A machine's folder: `models`, its store, its clone of the registry. */
export interface Machine {
  readonly modelsDir: string;
  /** The state directory, if it is not the default beside the models. */
  readonly stateDir?: string;
  readonly registry: RegistrySettings;
}

export function machine(root: string, name: string, registryUrl: string): Machine {
  const dir = join(root, name);
  Deno.mkdirSync(dir, { recursive: true });
  return {
    modelsDir: join(dir, "models"),
    registry: {
      repoDir: join(dir, "registry"),
      repoUrl: registryUrl,
      remote: "origin",
      branch: "main",
      token: undefined,
      transferTimeoutMs: 60_000,
    },
  };
}

export function storeOf(context: Context, machine: Machine): Store {
  return openStore(context.fs, { modelsDir: machine.modelsDir, stateDir: machine.stateDir }, context.log);
}

export interface PublishSettings {
  readonly allowShrink?: boolean;
  readonly allowDirtyWorktree?: boolean;
  readonly lfs?: "auto" | "always" | "never";
  readonly subdir?: string;
  readonly seal?: Seal | undefined;
}

/** Publishes a machine's models like `model-sync publish --skip-training`. */
export async function publishFrom(context: Context, from: Machine, settings: PublishSettings = {}) {
  const store = storeOf(context, from);
  return await recordedRun(
    context,
    store,
    { command: "publish", lock: "store", sinks: [] },
    (run) =>
      publish(context, store, run, {
        memory: new FolderIndex(context, store.root),
        open: () =>
          GitPublisher.open(context, store, {
            ...publisherOptions(from, settings),
            owner: { ...run, host: context.host },
          }),
      }),
  );
}

/** Returns what {@link publishFrom} would do, like `model-sync publish --skip-training --dry-run`. */
export async function planFrom(
  context: Context,
  from: Machine,
  settings: PublishSettings = {},
): Promise<PublishPlan> {
  const scratch = Deno.makeTempDirSync({ prefix: "model-sync-plan-" });
  try {
    const set = await readModelSet(context, from.modelsDir, NO_CACHE);
    return await planGitPublish(context, publisherOptions(from, settings), set, scratch, undefined);
  } finally {
    Deno.removeSync(scratch, { recursive: true });
  }
}

function publisherOptions(from: Machine, settings: PublishSettings): Omit<GitPublisherOptions, "owner"> {
  return {
    registry: from.registry,
    subdir: settings.subdir ?? "models",
    lfs: settings.lfs ?? "auto",
    allowDirtyWorktree: settings.allowDirtyWorktree === true,
    allowShrink: settings.allowShrink === true,
    commitMessage: undefined,
    seal: settings.seal,
  };
}

/** The options of {@link withdrawFrom}. */
export interface WithdrawSettings {
  readonly seal?: Seal | undefined;
  readonly undo?: boolean;
  readonly reason?: string;
  /** Called when the registry was read, before the change is published. */
  readonly beforePublish?: () => Promise<unknown>;
}

/** Withdraws a release from a machine's registry like `model-sync withdraw`. */
export async function withdrawFrom(
  context: Context,
  from: Machine,
  release: string,
  { seal, undo = false, reason, beforePublish }: WithdrawSettings = {},
): Promise<WithdrawReport> {
  const store = storeOf(context, from);
  return await recordedRun(context, store, { command: "withdraw", lock: "store", sinks: [] }, async (run) => {
    await using scratch = new TemporaryFolder(context.fs, "withdraw");
    const { registry, subdir, allowDirtyWorktree } = publisherOptions(from, {});
    const owner = { ...run, host: context.host };
    const options = { registry, subdir, allowDirtyWorktree, seal, owner };
    using target = await GitWithdrawal.open(context, options, scratch.path);
    await beforePublish?.();
    const state = undo ? "reinstated" : "withdrawn";
    return await withdraw(context, store, run, [target], { release, state, reason });
  });
}

/** The options of {@link pullTo}. */
export type PullToOptions =
  & Partial<PullOptions>
  & Partial<Pick<GitSourceOptions, "resetToRemote" | "allowDirtyWorktree" | "indexedFilesMin">>;

/** Pulls to a machine like `model-sync pull`. */
export async function pullTo(
  context: Context,
  to: Machine,
  options: PullToOptions = {},
): Promise<PullReport> {
  const store = storeOf(context, to);
  return await recordedRun(context, store, { command: "pull", lock: "store", sinks: [] }, async (run) => {
    await using source = new GitSource(context, {
      ...sourceOptions(to, options),
      owner: { ...run, host: context.host },
      scratch: join(store.staging, `${run.runId}-objects`),
    }, store);
    return await pull(context, store, source, run, {
      allowDowngrade: false,
      force: false,
      activation: "auto",
      keep: 5,
      ...options,
    });
  });
}

/** Returns what {@link pullTo} would do, like `model-sync pull --dry-run`. */
export async function planPullTo(
  context: Context,
  to: Machine,
  options: Partial<PlanOptions> = {},
): Promise<PullPlan> {
  const store = findStore(context.fs, to, context.log);
  await using scratch = new TemporaryFolder(context.fs, "pull");
  const opened = { ...sourceOptions(to), owner: "unlocked", scratch: scratch.path } as const;
  await using source = new GitSource(context, opened, store);
  const target = { place: store ?? placeOf(context.fs, to), activation: "auto" } as const;
  return await planPull(context, store, source, { allowDowngrade: false, force: false, target, ...options });
}

function sourceOptions(
  { registry }: Machine,
  { allowDirtyWorktree = false, allowDowngrade = false, resetToRemote = false, indexedFilesMin }: Partial<
    GitSourceOptions
  > = {},
) {
  return {
    registry,
    subdir: "models",
    allowDirtyWorktree,
    allowDowngrade,
    resetToRemote,
    indexedFilesMin,
  };
}

/** Rolls a machine back like `model-sync rollback`. */
export async function rollBack(
  context: Context,
  on: Machine,
  to?: string,
  safeguards?: Safeguards,
  isForced?: boolean,
): Promise<RollbackReport> {
  const store = storeOf(context, on);
  return await recordedRun(
    context,
    store,
    { command: "rollback", lock: "store", sinks: [] },
    (run) => rollback(context, store, run, planRollback(store, to, isForced), "auto", safeguards),
  );
}

/** The models of {@link newTrainer}. */
export const MODELS = { "BTC/rf.joblib": "one", "BTC/metadata.json": "{}", "ETH/rf.joblib": "eth" };

/** Creates a registry, and a trainer with models that are not published yet. */
export function newTrainer(
  root: string,
  files: Readonly<Record<string, string | Uint8Array>> = MODELS,
): Machine {
  const trainer = machine(root, "trainer", bareRepository(join(root, "registry.git")));
  writeFiles(trainer.modelsDir, files);
  return trainer;
}

/** Returns the address of the registry: the one that is set, or that of the user's clone. */
export function registryOf({ registry: { repoUrl, repoDir } }: Machine): string {
  if (repoUrl !== undefined) return repoUrl;
  assert.ok(repoDir !== undefined, "a machine without a registry");
  return git(repoDir, "remote", "get-url", "origin");
}

/** Asserts that a publish fails with a code and exit code, and leaves the registry unchanged. */
export async function assertRefused(
  trainer: Machine,
  code: string,
  exitCode: number,
  settings: PublishSettings = {},
): Promise<void> {
  const before = git(registryOf(trainer), "rev-parse", "--all");
  await assert.rejects(publishFrom(testContext(), trainer, settings), { code, exitCode });
  assert.equal(git(registryOf(trainer), "rev-parse", "--all"), before);
}

type Files = Readonly<Record<string, string>>;

/** Publishes model sets one after the other, and pulls each to a bot. */
export async function pulledReleases(
  root: string,
  sets: readonly Files[],
  options: PullToOptions & { readonly bot?: Machine } = {},
): Promise<{ readonly trainer: Machine; readonly bot: Machine }> {
  const registry = bareRepository(join(root, "registry.git"));
  const trainer = machine(root, "trainer", registry);
  const { bot = machine(root, "bot", registry), ...pulling } = options;
  for (const files of sets) {
    await publishFiles(trainer, files);
    await pullTo(testContext(), bot, pulling);
  }
  return { trainer, bot };
}

/** Replaces the trainer's model set and publishes it. */
export async function publishFiles(trainer: Machine, files: Files): Promise<void> {
  Deno.mkdirSync(trainer.modelsDir, { recursive: true });
  for (const { name } of Deno.readDirSync(trainer.modelsDir)) {
    Deno.removeSync(join(trainer.modelsDir, name), { recursive: true });
  }
  writeFiles(trainer.modelsDir, files);
  await publishFrom(testContext(), trainer, { allowShrink: true });
}

/** The folders of a trainer and a bot that are configured for the same empty registry. */
export interface ConfiguredPair {
  readonly registry: string;
  readonly trainer: string;
  readonly bot: string;
}

/** Creates a registry, and the folders of a trainer and a bot with their configurations, below `root`. */
export function configuredPair(root: string): ConfiguredPair {
  const registry = bareRepository(join(root, "registry.git"));
  const [trainer, bot] = [join(root, "trainer"), join(root, "bot")];
  const settings = { repo_url: registry, publisher: { train_before_push: false } };
  for (const cwd of [trainer, bot]) {
    writeFiles(cwd, { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
  }
  return { registry, trainer, bot };
}

/** Returns a world in which another clone pushes before each push of a publisher, and the number of these pushes. */
export function losingRaces(hand: string): { readonly context: Context; readonly pushes: () => number } {
  let pushes = 0;
  const context = testContext({
    spawn: (request) => {
      if (request.args.includes("push")) {
        writeFiles(hand, { "notes.md": `note ${++pushes}` });
        git(hand, "pull", "--quiet", "--ff-only", "origin", "main");
        commitAll(hand);
      }
      return isolatedSpawn(request);
    },
  });
  return { context, pushes: () => pushes };
}
