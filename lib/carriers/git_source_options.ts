import type { LockOwner } from "../core/lock.ts";
import type { RegistrySettings } from "../git/registry_settings.ts";

/** What a pull from a git registry reads, and how. */
export interface GitSourceOptions {
  readonly registry: RegistrySettings;
  /** The model folder in the repository. */
  readonly subdir: string;
  readonly allowDirtyWorktree: boolean;
  /** Follows a remote branch that was set back to an older commit. */
  readonly allowDowngrade: boolean;
  /** Follows a force-pushed or diverged remote branch, and gives up the commits of the clone. */
  readonly resetToRemote: boolean;
  /** What the source is opened for. Words the errors. Default: a pull. */
  readonly purpose?: "pull" | "look-up" | undefined;
  /** `unlocked` for a dry run, which changes nothing in the clone. */
  readonly owner: LockOwner | "unlocked";
  /** A folder for temporary objects; removed at the end. */
  readonly scratch: string;
  /** Fewer files of a release are not indexed. The default is what `GitReleaseIndex` says. */
  readonly indexedFilesMin?: number | undefined;
}
