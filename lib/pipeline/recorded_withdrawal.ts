import { gitRegistrySettings, registryUnset } from "../carriers/git_settings.ts";
import type { WithdrawalResult, WithdrawalTarget } from "../carriers/withdrawal_target.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Context } from "../core/context.ts";
import { ModelSyncError, UsageError } from "../core/errors.ts";
import { TemporaryFolder } from "../core/folders.ts";
import type { LockOwner } from "../core/lock.ts";
import { hubSettings, repoLayout } from "../huggingface/hub_settings.ts";
import type { Withdrawal } from "../release/manifest.ts";
import { findStore, openStore, stateDirOf } from "../store/store.ts";
import { signOfTraining } from "../store/training_signs.ts";
import { releaseSeal } from "./configured_signing.ts";
import { type CommandScope, reportedRun } from "./reported_run.ts";
import type { Timed } from "./run_report.ts";
import { planWithdrawal, type WantedWithdrawal, withdraw, type WithdrawReport } from "./withdraw.ts";

export const WITHDRAWAL_CARRIERS = ["git", "huggingface", "archives"] as const;
/** Where a withdrawal is published. `archives`: in no registry, but in the next archives of `train`. */
export type WithdrawalCarrier = (typeof WITHDRAWAL_CARRIERS)[number];

/** The operator's choices for one withdrawal. */
export interface WithdrawChoices {
  readonly release: string;
  readonly undo: boolean;
  readonly reason: string | undefined;
  /** `undefined` for every registry that the configuration names. */
  readonly carrier: WithdrawalCarrier | undefined;
  readonly allowDirtyWorktree: boolean;
}

/** As {@link CommandScope}, with the origin of the settings. */
interface WithdrawalScope extends CommandScope {
  readonly config: Pick<LoadedConfig, "file">;
}

/** Withdraws a release, or ends its withdrawal, as a recorded run. */
export async function recordedWithdrawal(
  scope: WithdrawalScope,
  choices: WithdrawChoices,
): Promise<Timed<WithdrawReport>> {
  const { context, location } = scope;
  const wanted = wantedOf(choices);
  const carriers = carriersOf(scope, choices);
  const store = openStore(context.fs, location, context.log);
  return await reportedRun(scope, store, "withdraw", async (run, observed) => {
    await using scratch = new TemporaryFolder(observed.fs, "withdraw");
    using targets = await openTargets(scope, observed, choices, carriers, {
      owner: { ...run, host: context.host },
      scratch: scratch.path,
    });
    return await withdraw(observed, store, run, targets.list, wanted);
  });
}

/** What a withdrawal would change. */
export interface WithdrawalPreview {
  readonly withdrawal: Withdrawal;
  readonly registries: readonly WithdrawalResult[];
}

/** Returns what a withdrawal would change. Changes nothing. @throws what the withdrawal would throw */
export async function previewWithdrawal(
  scope: WithdrawalScope,
  choices: WithdrawChoices,
): Promise<WithdrawalPreview> {
  const { context, location } = scope;
  const store = findStore(context.fs, location, context.log);
  await using scratch = new TemporaryFolder(context.fs, "dry-run");
  const use = { owner: "unlocked", scratch: scratch.path } as const;
  using targets = await openTargets(scope, context, choices, carriersOf(scope, choices), use);
  const { change, known, withdrawal } = await planWithdrawal(context, store, targets.list, wantedOf(choices));
  const registries: WithdrawalResult[] = [];
  for (const target of targets.list) registries.push(await target.preview(change, known));
  return { withdrawal, registries };
}

function wantedOf({ release, undo, reason }: WithdrawChoices): WantedWithdrawal {
  return { release, state: undo ? "reinstated" : "withdrawn", reason };
}

/** @throws {UsageError} code `REPO_UNSET` for a carrier that the configuration does not name, or without a configuration */
function carriersOf(scope: WithdrawalScope, { carrier }: WithdrawChoices): readonly WithdrawalCarrier[] {
  const { settings } = scope;
  const isNamed: Readonly<Record<WithdrawalCarrier, boolean>> = {
    git: (settings.repo_dir ?? settings.repo_url) !== undefined,
    huggingface: settings.huggingface.repo_id !== undefined,
    archives: true,
  };
  if (carrier !== "huggingface" && !isNamed.git && !isNamed.huggingface && !mayTrain(scope)) {
    throw registryUnset();
  }
  const named = WITHDRAWAL_CARRIERS.filter((name) => isNamed[name] && (carrier ?? name) === name);
  if (named.length > 0) return named;
  throw new UsageError(`Cannot withdraw a release from ${carrier}: no registry of that kind is configured`, {
    code: "REPO_UNSET",
    hint: carrier === "git"
      ? "set model_sync.repo_url or --repo-url"
      : "set model_sync.huggingface.repo_id or --repo-id",
  });
}

/** Whether this machine may write archives: it has a configuration file or a training command, or it trained before. */
function mayTrain({ context: { fs, log }, config, settings, location }: WithdrawalScope): boolean {
  if (config.file !== undefined || settings.publisher.train_command !== undefined) return true;
  const store = findStore(fs, location, log);
  return store !== undefined && signOfTraining(store) !== undefined;
}

/** The opened registries. */
interface OpenTargets extends Disposable {
  readonly list: readonly WithdrawalTarget[];
}

/** Opens every registry before one is changed: what is wrong with one of them is found first. */
async function openTargets(
  { settings, location }: CommandScope,
  context: Context,
  { allowDirtyWorktree }: WithdrawChoices,
  carriers: readonly WithdrawalCarrier[],
  { owner, scratch }: { readonly owner: LockOwner | "unlocked"; readonly scratch: string },
): Promise<OpenTargets> {
  using opened = new DisposableStack();
  const list: WithdrawalTarget[] = [];
  const seal = await releaseSeal(context, settings.signing);
  const openers = {
    git: async () => {
      const { GitWithdrawal } = await import("../carriers/git_withdrawal.ts");
      const registry = gitRegistrySettings(settings, context, stateDirOf(context.fs, location));
      const options = { registry, subdir: settings.repo_models_subdir, allowDirtyWorktree, seal, owner };
      return await GitWithdrawal.open(context, options, scratch);
    },
    huggingface: async () => {
      const { HuggingFaceWithdrawal } = await import("../carriers/huggingface_withdrawal.ts");
      const options = { hub: hubSettings(settings, context), layout: repoLayout(settings), seal };
      return await HuggingFaceWithdrawal.open(context, options);
    },
  };
  const registries = (["git", "huggingface"] as const).filter((name) => carriers.includes(name));
  for (const name of registries) {
    try {
      list.push(opened.use(await openers[name]()));
    } catch (error) {
      const other = registries.find((one) => one !== name);
      if (error instanceof ModelSyncError && other !== undefined) {
        error.addHint(
          `no registry is changed; to change only the other one, run withdraw with --carrier ${other}`,
        );
      }
      throw error;
    }
  }
  const resources = opened.move();
  return { list, [Symbol.dispose]: () => resources[Symbol.dispose]() };
}
