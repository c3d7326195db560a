import type { ModelSync } from "../config/schema.ts";
import type { ArchiveLimits } from "../archive/archive_limits.ts";

/** What the configuration lets an archive be at most. */
export function archiveLimits({ archives }: Pick<ModelSync, "archives">): ArchiveLimits {
  return {
    entriesMax: archives.max_entries,
    bytesMax: archives.max_bytes,
    ratioMax: archives.max_ratio,
    depthMax: archives.max_depth,
  };
}
