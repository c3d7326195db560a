import { z } from "zod";
import { DOCS } from "./kinds.ts";

const GIB = 1024 ** 3;

/** What an archive may be. The defaults are those of `lib/core/archive_limits.ts`, with their reasons. */
export const Archives = z.strictObject({
  max_download_bytes: z.number().int().positive().default(64 * GIB).register(DOCS, {
    description: "The largest archive that is downloaded, in bytes.",
  }),
  max_bytes: z.number().int().positive().default(128 * GIB).register(DOCS, {
    description: "What all its files may be together, unpacked, in bytes.",
  }),
  max_entries: z.number().int().positive().default(200_000).register(DOCS, {
    description: "How many files and folders it may hold.",
  }),
  max_ratio: z.number().positive().default(200).register(DOCS, {
    description: "How many times its own size it may unpack to: real models reach 20.",
  }),
});
