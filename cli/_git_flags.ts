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
  repoDir: textFlag("existing clone of the registry on this machine"),
  repoUrl: textFlag("address of the registry, for the first clone"),
  repoModelsSubdir: textFlag("folder of the models inside the repository (default: models)"),
  remote: textFlag("git remote (default: origin)"),
  branch: textFlag("git branch (default: main)"),
  allowDirtyWorktree: switchFlag("continue even if the clone has uncommitted changes"),
};
