import * as z from "zod";
import { ARCHIVE_LIMITS } from "../../archive/archive_limits.ts";
import { DOCS } from "./kinds.ts";

/** An archive is hardly larger than its unpacked files. */
const DOWNLOAD_BYTES_MAX = ARCHIVE_LIMITS.bytesMax;

const Count = z.number().int().positive();

/** The section `archives`. The reasons of the defaults are in `lib/archive/archive_limits.ts`. */
export const Archives = z.strictObject({
  max_download_bytes: Count.default(DOWNLOAD_BYTES_MAX).register(DOCS, {
    description: "The largest archive to download, in bytes.",
  }),
  max_bytes: Count.default(ARCHIVE_LIMITS.bytesMax).register(DOCS, {
    description: "The largest total size of the unpacked files, in bytes.",
  }),
  max_entries: Count.max(ARCHIVE_LIMITS.entriesMax).default(ARCHIVE_LIMITS.entriesMax).register(DOCS, {
    description: "The largest number of files and folders. A release cannot contain more than the default.",
  }),
  max_ratio: z.number().positive().default(ARCHIVE_LIMITS.ratioMax).register(DOCS, {
    description: "The largest ratio of unpacked to packed size. Models reach 20, bombs 1,000.",
  }),
  max_depth: Count.max(ARCHIVE_LIMITS.depthMax).default(ARCHIVE_LIMITS.depthMax).register(DOCS, {
    description: "The largest depth of folders. A release cannot contain deeper folders than the default.",
  }),
});
