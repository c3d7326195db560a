import {
  HuggingFacePublisher,
  type HuggingFacePublisherOptions,
} from "../../lib/carriers/huggingface_publisher.ts";
import { HuggingFaceSource, type HuggingFaceSourceOptions } from "../../lib/carriers/huggingface_source.ts";
import { HuggingFaceWithdrawal } from "../../lib/carriers/huggingface_withdrawal.ts";
import { systemClock } from "../../lib/core/clock.ts";
import type { Context } from "../../lib/core/context.ts";
import { Secret } from "../../lib/core/secret.ts";
import type { HubSettings } from "../../lib/huggingface/hub_settings.ts";
import type { RepoLayout } from "../../lib/huggingface/repo_layout.ts";
import { uploadNames } from "../../lib/huggingface/upload_plan.ts";
import { publish } from "../../lib/pipeline/publish.ts";
import { pull } from "../../lib/pipeline/pull.ts";
import type { PullOptions } from "../../lib/pipeline/pull_options.ts";
import type { PullReport } from "../../lib/pipeline/pull_report.ts";
import { withdraw, type WithdrawReport } from "../../lib/pipeline/withdraw.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { NO_FOLDER_MEMORY } from "../../lib/release/model_set.ts";
import { openStore } from "../../lib/store/store.ts";
import type { HubServer } from "../../fakes/hub_server.ts";

export const REPO = "you/models";
export const WHOLE_REPO: RepoLayout = { folder: "", include: [], exclude: [] };

/** A limit that no transfer in a test reaches. */
const DAY_MS = 24 * 3_600_000;

/** Returns the settings of a machine for a hub, with a token that may write. */
export function hubOf(server: HubServer, changed: Partial<HubSettings> = {}): HubSettings {
  return {
    endpoint: server.endpoint,
    repoId: REPO,
    revision: "main",
    token: new Secret(server.token),
    tokenEnv: "HF_TOKEN",
    tokenPlace: "HF_TOKEN",
    isOffline: false,
    ...changed,
  };
}

export function sourceOptions(
  server: HubServer,
  changed: Partial<HuggingFaceSourceOptions> = {},
): HuggingFaceSourceOptions {
  return {
    hub: hubOf(server),
    layout: WHOLE_REPO,
    limits: { stallMs: DAY_MS, totalMs: DAY_MS },
    isHasty: false,
    cacheFolder: undefined,
    ...changed,
  };
}

export function publisherOptions(
  server: HubServer,
  changed: Partial<HuggingFacePublisherOptions> = {},
): HuggingFacePublisherOptions {
  return {
    hub: hubOf(server),
    rules: { layout: WHOLE_REPO, deleteRemoved: false, allowShrink: false },
    isPrivate: false,
    commitMessage: undefined,
    asPullRequest: false,
    ...changed,
  };
}

/** Publishes a folder like `model-sync hf-upload`. Taking the lock needs the real clock. */
export async function uploadFrom(context: Context, modelsDir: string, options: HuggingFacePublisherOptions) {
  const store = openStore(context.fs, { modelsDir });
  return await recordedRun({ ...context, clock: systemClock }, store, {
    command: "hf-upload",
    lock: "store",
    sinks: [],
  }, (run) =>
    publish(context, store, run, {
      listsChunks: true,
      memory: NO_FOLDER_MEMORY,
      open: () => HuggingFacePublisher.open(context, store, options),
      names: uploadNames(options.rules.layout),
    }));
}

/** Withdraws a release like `model-sync withdraw` with a repository on a hub. */
export async function withdrawFromHub(
  context: Context,
  modelsDir: string,
  { hub, rules: { layout }, seal }: Pick<HuggingFacePublisherOptions, "hub" | "rules" | "seal">,
  release: string,
  undo = false,
): Promise<WithdrawReport> {
  const store = openStore(context.fs, { modelsDir });
  const options = { command: "withdraw", lock: "store", sinks: [] } as const;
  return await recordedRun({ ...context, clock: systemClock }, store, options, async (run) => {
    using target = await HuggingFaceWithdrawal.open(context, { hub, layout, seal });
    const state = undo ? "reinstated" : "withdrawn";
    return await withdraw(context, store, run, [target], { release, state, reason: undefined });
  });
}

/** Pulls to a folder like `model-sync hf-pull`. */
export async function pullTo(
  context: Context,
  modelsDir: string,
  options: HuggingFaceSourceOptions,
  changed: Partial<PullOptions> = {},
): Promise<PullReport> {
  const store = openStore(context.fs, { modelsDir });
  return await recordedRun({ ...context, clock: systemClock }, store, {
    command: "hf-pull",
    lock: "store",
    sinks: [],
  }, async (run) => {
    await using source = new HuggingFaceSource(context, options, store);
    return await pull(context, store, source, run, {
      allowDowngrade: false,
      force: false,
      activation: "auto",
      keep: 5,
      ...changed,
    });
  });
}
