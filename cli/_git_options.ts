import type { CommandUnknownOpts } from "@commander-js/extra-typings";

/** The options of the seeds' git commands, in their spelling. */
export interface GitOptions {
  readonly repoDir?: string | undefined;
  readonly repoUrl?: string | undefined;
  readonly repoModelsSubdir?: string | undefined;
  readonly remote?: string | undefined;
  readonly branch?: string | undefined;
  readonly allowDirtyWorktree?: boolean | undefined;
}

/** Adds {@link GitOptions} to a command. */
export function withGitOptions<C extends CommandUnknownOpts>(command: C): C {
  command
    .option("--repo-dir <dir>", "clone of the models repository on this machine")
    .option("--repo-url <url>", "where to clone it from when it does not exist")
    .option("--repo-models-subdir <dir>", "folder of the models inside the repository (default: models)")
    .option("--remote <name>", "git remote (default: origin)")
    .option("--branch <name>", "git branch (default: main)")
    .option("--allow-dirty-worktree", "go on although the clone has uncommitted changes");
  return command;
}
