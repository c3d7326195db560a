import { join } from "node:path";
import { GitSource } from "../lib/carriers/git_source.ts";
import type { GitSourceOptions } from "../lib/carriers/git_source_options.ts";
import { gitRegistrySettings } from "../lib/carriers/git_settings.ts";
import { parseRemoteUrl } from "../lib/git/remote_url.ts";
import { stateDirOf, type Store } from "../lib/store/store.ts";
import { SUMMARIES } from "./_help.ts";
import { GIT_OPTIONS, OTHER_WRITERS_OPTION, PULLING_OPTIONS } from "./_options.ts";
import { type Options, switchOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import { previewPulling, runPulling } from "./_pull.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import type { Need, Session } from "./_session.ts";

const OPTIONS = {
  ...GIT_OPTIONS,
  ...PULLING_OPTIONS,
  ...OTHER_WRITERS_OPTION,
  resetToRemote: switchOption({
    group: "Safety",
    brief: "Reset the clone to a force-pushed or diverged branch",
    note: "its own commits are lost",
  }),
} satisfies Options;

export type PullFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "pull",
  command: command({
    summary: SUMMARIES.pull,
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Show what would change", "model-sync pull --dry-run"],
      ["Pull into another folder", "model-sync pull --models-dir /srv/bot/models"],
      ["Pull, and wait until the release has passed its canary", "model-sync pull --wait-canary"],
    ],
    run: (session, flags) => flags.dryRun ? previewPull(session, flags) : runPull(session, flags),
  }),
};

/**
 * Returns the permissions that a pull needs. From a registry that is reached by HTTP, the pull itself downloads parts of
 * files in Git LFS; in a process that has given up the network, git-lfs downloads the files.
 */
export function pullNeeds({ settings, permissions }: Pick<Session, "settings" | "permissions">): Need[] {
  const { repo_url: url } = settings;
  const isByHttp = url !== undefined && parseRemoteUrl(url).origin !== undefined;
  return isByHttp && !permissions.givenUp.has("net") ? ["run", "net"] : ["run"];
}

/** Pulls from the git registry as a recorded run, and prints the result. */
export async function runPull(session: Session, flags: PullFlags): Promise<void> {
  const { context, location } = session;
  await runPulling(session, flags, {
    command: "pull",
    needs: pullNeeds(session),
    check: () => sourceOptions(session, flags, stateDirOf(context.fs, location)),
    open: (store, run) =>
      new GitSource(context, {
        ...sourceOptions(session, flags, store.root),
        scratch: join(store.staging, `${run.runId}-objects`),
        owner: { ...run, host: context.host },
      }, store),
    preview: (store, scratch) => openPreview(session, flags, store, scratch),
  });
}

/** Prints what a pull would change. A missing clone is created in a temporary folder. */
async function previewPull(session: Session, flags: PullFlags): Promise<void> {
  await previewPulling(session, flags, (store, scratch) => openPreview(session, flags, store, scratch));
}

/** Opens the registry for a dry run or a look-up, which change nothing. */
export function openPreview(
  session: Session,
  flags: PullFlags,
  store: Store | undefined,
  scratch: string,
  purpose?: GitSourceOptions["purpose"],
): GitSource {
  const { context, location } = session;
  const options = sourceOptions(session, flags, stateDirOf(context.fs, location));
  return new GitSource(context, { ...options, scratch, purpose, owner: "unlocked" }, store);
}

function sourceOptions(
  session: Session,
  flags: PullFlags,
  stateDir: string,
): Omit<GitSourceOptions, "scratch" | "owner"> {
  const { settings, context } = session;
  return {
    registry: gitRegistrySettings(settings, context, stateDir),
    subdir: settings.repo_models_subdir,
    allowDirtyWorktree: flags.allowDirtyWorktree === true,
    allowDowngrade: flags.allowDowngrade === true,
    resetToRemote: flags.resetToRemote === true,
  };
}

if (import.meta.main) await main(program);
