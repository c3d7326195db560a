import { gitRegistrySettings } from "../carriers/git_settings.ts";
import { githubActionsSettings } from "../carriers/github_actions_settings.ts";
import { runPodApi } from "../carriers/runpod_settings.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Role } from "../config/roles.ts";
import { EXIT, ModelSyncError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { hubSettings } from "../huggingface/hub_settings.ts";
import { checkPublish, type PublishChoices } from "../pipeline/recorded_publish.ts";
import type { CommandScope } from "../pipeline/reported_run.ts";
import { openSyncParts } from "../references/open_sync_parts.ts";
import { stateDirOf } from "../store/store.ts";

/** The options of a command line for the runs of the roles. */
export interface RoleChoices extends Pick<PublishChoices, "skipsTraining" | "training"> {
  /** The RunPod key of the command line. */
  readonly apiKey: string | undefined;
}

type ConfiguredScope = CommandScope & { readonly config: Pick<LoadedConfig, "githubToken"> };

/** Reads the settings that a run of each role would read, and throws what the run would throw. */
const CHECKS: Readonly<Record<Role, (scope: ConfiguredScope, choices: RoleChoices) => unknown>> = {
  publisher: checkPublish,
  client: ({ settings, context, location }) =>
    gitRegistrySettings(settings, context, stateDirOf(context.fs, location)),
  runpod_client: ({ settings, context }, { apiKey }) => runPodApi(settings, context, apiKey),
  artifact_client: ({ settings, context, config }) =>
    githubActionsSettings(settings, context.env, config.githubToken?.token, undefined),
  huggingface_client: ({ settings, context }) => hubSettings(settings, context),
  references: ({ settings, context }) =>
    openSyncParts(context, settings.references, {
      token: undefined,
      isDryRun: true,
      discardLocalChanges: false,
    }),
};

/**
 * Refuses roles whose runs lack settings and could only fail. A missing token does not count: it may be set by the
 * time of the run.
 *
 * @throws what the command of the role throws
 */
export function checkRoles(scope: ConfiguredScope, roles: readonly Role[], choices: RoleChoices): void {
  // Each run warns of its settings itself.
  const quiet = { ...scope, context: { ...scope.context, log: SILENT } };
  for (const role of roles) {
    try {
      CHECKS[role](quiet, choices);
    } catch (error) {
      if (!(error instanceof ModelSyncError) || error.exitCode === EXIT.usage) throw error;
    }
  }
}

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, progress() {} };

/** For a check without a command line: everything as configured. */
export const CONFIGURED_ONLY: RoleChoices = {
  skipsTraining: false,
  training: { paper: false, symbols: [], scope: "default", maxModelAgeHours: undefined },
  apiKey: undefined,
};
