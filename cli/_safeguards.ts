import type { ModelSync } from "../lib/config/schema.ts";
import type { Safeguards } from "../lib/pipeline/safeguards.ts";

/** What the configuration sets between a release and its consumers. */
export function safeguardsOf({ activation }: ModelSync): Safeguards {
  const { validate, reload, canary, backup_dir, keep } = activation;
  return {
    validate: validate.enabled ? validate : undefined,
    reload,
    canary: canary.duration_minutes > 0 ? canary : undefined,
    backup: backup_dir === undefined ? undefined : { dir: backup_dir, keep },
  };
}
