import { buildCommand } from "@stricli/core";
import { join } from "node:path";
import { GitSource, type GitSourceOptions } from "../lib/carriers/git_source.ts";
import { gitRegistrySettings } from "../lib/carriers/git_settings.ts";
import { stateDirOf } from "../lib/store/store.ts";
import { COMMON_ALIASES, COMMON_FLAGS, GIT_FLAGS, type GitFlags, switchFlag } from "./_options.ts";
import { defineProgram, type Invocation, main, type Program, withSession } from "./_command.ts";
import type { Session } from "./_session.ts";
import {
  OTHER_WRITERS_FLAG,
  type OtherWriterFlags,
  previewPulling,
  PULLING_FLAGS,
  type PullingFlags,
  runPulling,
} from "./_pull.ts";
import { SUMMARIES } from "./_help.ts";

export interface PullFlags extends PullingFlags, OtherWriterFlags, GitFlags {
  readonly resetToRemote?: boolean;
}

export const program: Program = defineProgram(
  "pull",
  buildCommand<PullFlags, [], Invocation>({
    docs: { brief: SUMMARIES.pull },
    parameters: {
      flags: {
        ...COMMON_FLAGS,
        ...GIT_FLAGS,
        ...PULLING_FLAGS,
        acceptOtherWriters: OTHER_WRITERS_FLAG,
        resetToRemote: switchFlag(
          "follow a branch that was force-pushed or diverged, giving up the clone's own",
        ),
      },
      aliases: COMMON_ALIASES,
    },
    func: withSession((session, flags) =>
      flags.dryRun ? previewPull(session, flags) : runPull(session, flags)
    ),
  }),
);

/** One pull from the git registry, recorded and shown. */
export async function runPull(session: Session, flags: PullFlags): Promise<void> {
  const { context, location } = session;
  await runPulling(session, flags, {
    command: "pull",
    needs: ["run"],
    check: () => sourceOptions(session, flags, stateDirOf(context.fs, location)),
    open: (store, run) =>
      new GitSource(context, {
        ...sourceOptions(session, flags, store.root),
        scratch: join(store.staging, `${run.runId}-objects`),
        owner: { ...run, host: context.host },
      }, store),
  });
}

/** A missing clone is made elsewhere and thrown away. */
async function previewPull(session: Session, flags: PullFlags): Promise<void> {
  const { context, location } = session;
  await previewPulling(session, flags, (store, scratch) =>
    new GitSource(context, {
      ...sourceOptions(session, flags, stateDirOf(context.fs, location)),
      scratch,
      owner: "unlocked",
    }, store));
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
