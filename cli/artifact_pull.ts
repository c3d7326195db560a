import { join } from "node:path";
import { rememberAnsweredPull, throttleArtifacts } from "../lib/carriers/artifact_throttle.ts";
import { githubActionsSettings, warnOfTokenInFile } from "../lib/carriers/github_actions_settings.ts";
import {
  type GitHubActionsOptions,
  type GitHubActionsSettings,
  GitHubActionsSource,
} from "../lib/carriers/github_actions_source.ts";
import { partialPath } from "../lib/store/partials.ts";
import type { Store } from "../lib/store/store.ts";
import { SUMMARIES } from "./_help.ts";
import { LIMIT_RATE, PULLING_OPTIONS } from "./_options.ts";
import { choiceOption, integerOption, type Options, textOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import { previewPulling, runPulling } from "./_pull.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import type { Session } from "./_session.ts";

const ACTIONS = "GitHub Actions";

const OPTIONS = {
  owner: textOption({
    group: ACTIONS,
    placeholder: "NAME",
    brief: "User or organisation that owns the repository",
    setting: "artifacts.owner",
  }),
  repository: textOption({
    group: ACTIONS,
    placeholder: "NAME",
    brief: "Repository whose workflow trains",
    setting: "artifacts.repository",
  }),
  workflow: textOption({
    group: ACTIONS,
    placeholder: "WORKFLOW",
    brief: "The workflow's file name, id or name",
    setting: "artifacts.workflow",
    standard: "any that uploads such an artifact",
  }),
  branch: textOption({
    group: ACTIONS,
    placeholder: "NAME",
    brief: "Branch of the workflow run",
    setting: "artifacts.branch",
    standard: "main",
  }),
  artifact: textOption({
    group: ACTIONS,
    placeholder: "PATTERNS",
    brief: "Artifact names: patterns with * and ?, comma-separated",
    setting: "artifacts.artifact",
  }),
  conclusion: choiceOption({
    group: ACTIONS,
    placeholder: "RESULT",
    brief: "Conclusion of the workflow run",
    setting: "artifacts.conclusion",
    standard: "success",
  }, ["success", "neutral", "any"]),
  run: integerOption({
    group: ACTIONS,
    placeholder: "ID",
    brief: "Pull the run with this id, not the newest",
  }, 1),
  minIntervalMinutes: integerOption({
    group: "Options",
    placeholder: "MINUTES",
    brief: "Skip a pull sooner than this after the last",
    setting: "artifacts.min_interval_minutes",
    note: "0 skips none",
    standard: 5,
  }, 0),
  limitRate: LIMIT_RATE,
  ...PULLING_OPTIONS,
} satisfies Options;

export type ArtifactPullFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "artifact-pull",
  command: command({
    summary: SUMMARIES["artifact-pull"],
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Show what would change", "model-sync artifact-pull --dry-run"],
      [
        "Pull from the newest successful run of a workflow",
        "model-sync artifact-pull --owner you --repository models --workflow train.yml",
      ],
      ["Pull a certain run", "model-sync artifact-pull --run 1234567890"],
    ],
    run: (session, flags) =>
      flags.dryRun ? previewArtifactPull(session, flags) : runArtifactPull(session, flags),
  }),
};

/** Pulls a workflow's artifacts as a recorded run, and prints the result. */
export async function runArtifactPull(session: Session, flags: ArtifactPullFlags): Promise<void> {
  const { context } = session;
  await runPulling(session, flags, {
    command: "artifact-pull",
    needs: ["net"],
    check: () => readSettings(session, flags),
    skip: (store) =>
      throttleArtifacts(context, store, readSettings(session, flags), {
        minIntervalMinutes: session.settings.artifacts.min_interval_minutes,
        isForced: isForced(flags),
      }),
    answered: (store, { startedAt }) => rememberAnsweredPull(store, readSettings(session, flags), startedAt),
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

/** Returns whether the operator chose a run, or answers a refusal: the pull before this one may have suggested it. */
function isForced({ force, adopt, allowDowngrade, run }: ArtifactPullFlags): boolean {
  return force === true || adopt === true || allowDowngrade === true || run !== undefined;
}

/** Prints what a pull would change. Only a downloaded archive shows its content, so it goes to a temporary folder. */
async function previewArtifactPull(session: Session, flags: ArtifactPullFlags): Promise<void> {
  await previewPulling(session, flags, (_store, scratch) => openPreview(session, flags, scratch));
}

/** Opens the repository for a look that changes nothing but the scratch folder. */
export function openPreview(
  session: Session,
  flags: ArtifactPullFlags,
  scratch: string,
): GitHubActionsSource {
  let downloads = 0;
  const place = () => Promise.resolve(join(scratch, `artifact-${++downloads}`));
  return openSource(session, flags, place, undefined);
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
