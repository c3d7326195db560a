import type { ModelSync } from "../config/schema.ts";
import type { CanarySettings } from "../config/sections/canary.ts";
import type { ReloadHook } from "../config/sections/reload.ts";
import type { ValidateSettings } from "../config/sections/validate.ts";

/** What stands between a verified release and its consumers, and what is done when it disappoints. */
export interface Safeguards {
  /** What is looked at before the activation; nothing without. */
  readonly validate?: ValidateSettings | undefined;
  /** Who is told of an activation. */
  readonly reload: readonly ReloadHook[];
  /** What is watched after it; nothing without. */
  readonly canary?: CanarySettings | undefined;
  /** Where the release that is left is copied to. */
  readonly backup?: { readonly dir: string; readonly keep: number } | undefined;
}

/** A release is activated as soon as it is verified. */
export const NO_SAFEGUARDS: Safeguards = { reload: [] };

/** Returns what the configuration sets between a release and its consumers. */
export function safeguardsOf({ activation }: Pick<ModelSync, "activation">): Safeguards {
  const { validate, reload, canary, backup_dir, keep } = activation;
  return {
    validate: validate.enabled ? validate : undefined,
    reload,
    canary: canary.duration_minutes > 0 ? canary : undefined,
    backup: backup_dir === undefined ? undefined : { dir: backup_dir, keep },
  };
}
