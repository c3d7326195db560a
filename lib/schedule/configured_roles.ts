import type { ModelSync } from "../config/schema.ts";
import { type Role, ROLES } from "./roles.ts";

/** Returns the roles whose runs have the settings that they need, such as a registry or something to train with. */
export function configuredRoles(settings: ModelSync): Role[] {
  const { repo_dir, repo_url, publisher } = settings;
  const hasRegistry = (repo_dir ?? repo_url) !== undefined;
  const canTrain = publisher.train_command !== undefined || !publisher.train_before_push;
  const isConfigured: Readonly<Record<Role, boolean>> = {
    publisher: hasRegistry && canTrain,
    client: hasRegistry,
    runpod_client: settings.runpod.trigger_url !== undefined,
    artifact_client: settings.artifacts.repository !== undefined,
    huggingface_client: settings.huggingface.repo_id !== undefined,
    references: settings.references.primary_url !== undefined,
  };
  return ROLES.filter((role) => isConfigured[role]);
}
