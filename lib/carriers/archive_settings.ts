import type { ModelSync } from "../config/schema.ts";
import { ARCHIVE_LIMITS, type ArchiveLimits } from "../core/archive.ts";

/** What the configuration lets an archive be at most. */
export function archiveLimits({ archives }: Pick<ModelSync, "archives">): ArchiveLimits {
  return {
    ...ARCHIVE_LIMITS,
    entriesMax: archives.max_entries,
    bytesMax: archives.max_bytes,
    ratioMax: archives.max_ratio,
  };
}
