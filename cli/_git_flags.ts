import type { FlagParametersForType } from "@stricli/core";
import { switchFlag, textFlag } from "./_command.ts";

/** The options of the seeds' git commands, in their spelling. */
export interface GitFlags {
  readonly repoDir?: string;
  readonly repoUrl?: string;
  readonly repoModelsSubdir?: string;
  readonly remote?: string;
  readonly branch?: string;
  readonly allowDirtyWorktree?: boolean;
}

export const GIT_FLAGS: FlagParametersForType<GitFlags> = {
  repoDir: textFlag("clone of the models repository on this machine"),
  repoUrl: textFlag("where to clone it from when it does not exist"),
  repoModelsSubdir: textFlag("folder of the models inside the repository (default: models)"),
  remote: textFlag("git remote (default: origin)"),
  branch: textFlag("git branch (default: main)"),
  allowDirtyWorktree: switchFlag("go on although the clone has uncommitted changes"),
};
