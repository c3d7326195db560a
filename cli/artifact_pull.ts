import { buildCommand, type FlagParametersForType } from "@stricli/core";
import { join } from "node:path";
import { throttleArtifacts } from "../lib/carriers/artifact_throttle.ts";
import { githubActionsSettings, warnOfTokenInFile } from "../lib/carriers/github_actions_settings.ts";
import {
  type GitHubActionsOptions,
  type GitHubActionsSettings,
  GitHubActionsSource,
} from "../lib/carriers/github_actions_source.ts";
import { partialPath } from "../lib/store/partials.ts";
import type { Store } from "../lib/store/store.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  type FlagSettings,
  integerFlag,
  rateFlag,
  textFlag,
} from "./_options.ts";
import { defineProgram, type Invocation, main, type Program, withSession } from "./_command.ts";
import type { Session } from "./_session.ts";
import { previewPulling, PULLING_FLAGS, type PullingFlags, runPulling } from "./_pull.ts";
import { SUMMARIES } from "./_help.ts";

export interface ArtifactPullFlags extends PullingFlags {
  readonly owner?: string;
  readonly repository?: string;
  readonly workflow?: string;
  readonly branch?: string;
  readonly artifact?: string;
  readonly conclusion?: "success" | "neutral" | "any";
  /** The id of a run. */
  readonly run?: number;
  readonly minIntervalMinutes?: number;
  /** Bytes a second. */
  readonly limitRate?: number;
}

const ARTIFACT_FLAGS: FlagParametersForType<Omit<ArtifactPullFlags, keyof PullingFlags>> = {
  owner: textFlag("user or organisation that owns the repository"),
  repository: textFlag("repository whose workflow trains"),
  workflow: textFlag("the workflow's file name, id or name (default: whichever uploads such an artifact)"),
  branch: textFlag("branch of the workflow run (default: main)"),
  artifact: textFlag("names of the artifacts: patterns with * and ?, separated by commas"),
  conclusion: {
    kind: "enum",
    values: ["success", "neutral", "any"],
    optional: true,
    brief: "conclusion of the workflow run (default: success)",
  },
  run: integerFlag("pull the run with this id instead of the newest", 1),
  minIntervalMinutes: integerFlag(
    "skip a pull sooner than this after the last one; 0 skips none (default: 5)",
    0,
  ),
  limitRate: rateFlag("download no faster than this, in bytes a second: 500K, 10M"),
};

/** Exported for whoever else opens a session for these options. */
export const ARTIFACT_FLAG_SETTINGS: FlagSettings = {
  owner: ["artifacts", "owner"],
  repository: ["artifacts", "repository"],
  workflow: ["artifacts", "workflow"],
  branch: ["artifacts", "branch"],
  artifact: ["artifacts", "artifact"],
  conclusion: ["artifacts", "conclusion"],
  minIntervalMinutes: ["artifacts", "min_interval_minutes"],
};

export const program: Program = defineProgram(
  "artifact-pull",
  buildCommand<ArtifactPullFlags, [], Invocation>({
    docs: { brief: SUMMARIES["artifact-pull"] },
    parameters: { flags: { ...COMMON_FLAGS, ...ARTIFACT_FLAGS, ...PULLING_FLAGS }, aliases: COMMON_ALIASES },
    func: withSession(
      (session, flags) =>
        flags.dryRun ? previewArtifactPull(session, flags) : runArtifactPull(session, flags),
      ARTIFACT_FLAG_SETTINGS,
    ),
  }),
);

/** One pull of a workflow's artifacts, recorded and shown. */
export async function runArtifactPull(session: Session, flags: ArtifactPullFlags): Promise<void> {
  const { context } = session;
  await runPulling(session, flags, {
    command: "artifact-pull",
    needs: ["net"],
    check: () => readSettings(session, flags),
    skip: (store) =>
      throttleArtifacts(context.clock, store, readSettings(session, flags), {
        minIntervalMinutes: session.settings.artifacts.min_interval_minutes,
        isForced: flags.force === true || flags.run !== undefined,
      }),
    open: (store) => openSource(session, flags, (name) => partialPath(store, name), store),
    details: ({ run, artifacts }) => ({
      run: run === undefined ? null : {
        id: run.id,
        number: run.run_number,
        attempt: run.run_attempt,
        commit: run.head_sha,
        url: run.html_url,
      },
      artifacts: artifacts.map(({ name }) => name),
    }),
  });
}

/** Downloads into a folder that is thrown away: an archive shows what is in it only when it is there. */
async function previewArtifactPull(session: Session, flags: ArtifactPullFlags): Promise<void> {
  let downloads = 0;
  const place = (scratch: string) => () => Promise.resolve(join(scratch, `artifact-${++downloads}`));
  await previewPulling(
    session,
    flags,
    (_store, scratch) => openSource(session, flags, place(scratch), undefined),
  );
}

function openSource(
  session: Session,
  flags: ArtifactPullFlags,
  partialPath: GitHubActionsOptions["partialPath"],
  store: Store | undefined,
): GitHubActionsSource {
  const { context, config, settings: { artifacts } } = session;
  const settings = readSettings(session, flags);
  warnOfTokenInFile(context.log, settings, config.githubToken, artifacts.token_env);
  return new GitHubActionsSource(context, { ...settings, partialPath, run: flags.run }, store);
}

function readSettings(
  { config, settings, context }: Session,
  flags: ArtifactPullFlags,
): GitHubActionsSettings {
  return githubActionsSettings(settings, context.env, config.githubToken?.token, flags.limitRate);
}

if (import.meta.main) await main(program);
