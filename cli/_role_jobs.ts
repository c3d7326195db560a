import { githubActionsSettings } from "../lib/carriers/github_actions_settings.ts";
import { gitRegistrySettings } from "../lib/carriers/git_settings.ts";
import { runPodApi } from "../lib/carriers/runpod_settings.ts";
import { EXIT, ModelSyncError } from "../lib/core/errors.ts";
import type { Log } from "../lib/core/log.ts";
import { hubSettings } from "../lib/huggingface/hub_settings.ts";
import { openSyncParts } from "../lib/references/open_sync_parts.ts";
import type { Role } from "../lib/schedule/roles.ts";
import { stateDirOf } from "../lib/store/store.ts";
import type { Need, Session } from "./_session.ts";
import type { RunPodFlags } from "./_options.ts";
import { runArtifactPull } from "./artifact_pull.ts";
import { runHfPull } from "./hf_pull.ts";
import { checkPublish, type PublishFlags, runPublish } from "./publish.ts";
import { type PullFlags, runPull } from "./pull.ts";
import { runReferencesSync } from "./references_sync.ts";
import { runRunPodPull } from "./runpod_pull.ts";

/** The options of a daemon that its roles' commands have, too. */
export interface RoleFlags extends PublishFlags, PullFlags, Omit<RunPodFlags, "newJob"> {}

/** What a daemon with a role does. */
interface RoleJob {
  /** What it needs besides what is configured around it. */
  readonly needs: readonly Need[];
  readonly run: (session: Session, flags: RoleFlags) => Promise<void>;
  /** Reads the settings that a run would read, and throws what it would throw of them. */
  readonly check: (session: Session, flags: RoleFlags) => unknown;
}

export const ROLE_JOBS: Readonly<Record<Role, RoleJob>> = {
  publisher: { needs: ["run"], run: runPublish, check: checkPublish },
  client: {
    needs: ["run"],
    run: runPull,
    check: ({ settings, context, location }) =>
      gitRegistrySettings(settings, context, stateDirOf(context.fs, location)),
  },
  runpod_client: {
    needs: ["net"],
    run: runRunPodPull,
    check: ({ settings, context }, { apiKey }) => runPodApi(settings, context, apiKey),
  },
  artifact_client: {
    needs: ["net"],
    // Its flags are the configuration's: the daemon's --branch is that of the git roles.
    run: (session, { allowDowngrade = false }) => runArtifactPull(session, { allowDowngrade }),
    check: ({ settings, context, config }) =>
      githubActionsSettings(settings, context.env, config.githubToken?.token, undefined),
  },
  huggingface_client: {
    needs: ["net"],
    run: (session, { allowDowngrade = false, acceptOtherWriters = false }) =>
      runHfPull(session, { allowDowngrade, acceptOtherWriters }),
    check: ({ settings, context }) => hubSettings(settings, context),
  },
  references: {
    needs: ["net", "run"],
    run: runReferencesSync,
    check: ({ settings, context }) =>
      openSyncParts(context, settings.references, {
        token: undefined,
        isDryRun: true,
        discardLocalChanges: false,
      }),
  },
};

/**
 * Refuses roles whose runs could only fail, for want of settings. A missing token is a failure of the run: it may be
 * there by then.
 *
 * @throws what the command of the role throws
 */
export function checkRoles(session: Session, roles: readonly Role[], flags: RoleFlags): void {
  // Each run warns of its settings itself.
  const quiet = { ...session, context: { ...session.context, log: SILENT } };
  for (const role of roles) {
    try {
      ROLE_JOBS[role].check(quiet, flags);
    } catch (error) {
      if (!(error instanceof ModelSyncError) || error.exitCode === EXIT.usage) throw error;
    }
  }
}

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, progress() {} };
