import { z } from "zod";
import { ARCHIVE_LIMITS } from "../../core/archive_limits.ts";
import { DOCS } from "./kinds.ts";

/** An archive is hardly larger than what it unpacks to. */
const DOWNLOAD_BYTES_MAX = ARCHIVE_LIMITS.bytesMax;

const Count = z.number().int().positive();

/** What an archive may be at most. The reason of each default stands beside it in `lib/core/archive_limits.ts`. */
export const Archives = z.strictObject({
  max_download_bytes: Count.default(DOWNLOAD_BYTES_MAX).register(DOCS, {
    description: "The largest archive that is downloaded, in bytes.",
  }),
  max_bytes: Count.default(ARCHIVE_LIMITS.bytesMax).register(DOCS, {
    description: "What all its files may be together, unpacked, in bytes.",
  }),
  max_entries: Count.max(ARCHIVE_LIMITS.entriesMax).default(ARCHIVE_LIMITS.entriesMax).register(DOCS, {
    description: "How many files and folders it may hold; a release holds no more than the default.",
  }),
  max_ratio: z.number().positive().default(ARCHIVE_LIMITS.ratioMax).register(DOCS, {
    description: "How many times its own size it may unpack to: models reach 20, bombs 1,000.",
  }),
  max_depth: Count.max(ARCHIVE_LIMITS.depthMax).default(ARCHIVE_LIMITS.depthMax).register(DOCS, {
    description: "How many folders may lie in each other; a release holds no deeper ones than the default.",
  }),
});
