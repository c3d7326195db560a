import type { ModelSync } from "../config/schema.ts";
import type { CanarySettings } from "../config/sections/canary.ts";
import type { ReloadHook } from "../config/sections/reload.ts";
import type { ValidateSettings } from "../config/sections/validate.ts";
import type { ModeChoice } from "../store/model_folder.ts";
import type { ReadSignatures } from "./check_signature.ts";
import type { CurrentRun } from "./current_run.ts";

/** The settings that protect consumers from a bad release. */
export interface Safeguards {
  /** The checks before the activation; `undefined`: none. */
  readonly validate?: ValidateSettings | undefined;
  /** The consumers that are notified of an activation. */
  readonly reload: readonly ReloadHook[];
  /** The canary after the activation; `undefined`: none. */
  readonly canary?: CanarySettings | undefined;
  /** Where the replaced release is copied to before the activation. */
  readonly backup?: { readonly dir: string; readonly keep: number } | undefined;
}

/** Activates a release as soon as it is verified. */
export const NO_SAFEGUARDS: Safeguards = { reload: [] };

/** Returns the safeguards of the configuration. */
export function safeguardsOf({ activation }: Pick<ModelSync, "activation">): Safeguards {
  const { validate, reload, canary, backup_dir, keep } = activation;
  return {
    validate: validate.enabled ? validate : undefined,
    reload,
    canary: canary.duration_minutes > 0 ? canary : undefined,
    backup: backup_dir === undefined ? undefined : { dir: backup_dir, keep },
  };
}

/** How a run activates releases. */
export interface ActivationOptions {
  readonly run: CurrentRun;
  readonly choice: ModeChoice;
  readonly safeguards: Safeguards;
}

/** How a run activates releases from which it may have to roll back. */
export interface SwapOptions extends ActivationOptions {
  /** The signatures that a release to roll back to should have. */
  readonly readSignatures: ReadSignatures;
}
