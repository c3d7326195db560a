import * as z from "zod";
import { LFS_SETTINGS } from "../config/choices.ts";
import { Digest, SEQUENCE_MAX } from "../release/manifest.ts";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

const Published = z.lazy(() =>
  z.object({
    /** The registry: clone, branch and folder. */
    target: z.string(),
    /** The commit that held the release. */
    head: z.string(),
    /** The git tree of the model folder in that commit. Another tree shows that another program changed it. */
    tree: z.string(),
    /** Git's name for the manifest in that commit, and the version of this program that wrote it: into which pack, and where. */
    manifest: z.object({
      blob: z.string(),
      version: z.string(),
      pack: z.string().regex(/^pack-[0-9a-f]{40,64}$/).optional(),
      offset: z.number().min(0).optional(),
    }).optional(),
    /** Whether each object of the tree was compared with the release. Earlier versions trusted git. */
    checked: z.boolean().optional(),
    digest: Digest,
    sequence: z.number(),
    /** The `lfs` setting of that publish. With another one, files are published again although none changed. */
    lfs: z.enum(LFS_SETTINGS).optional(),
    /** The key that signed it. */
    signedBy: z.string().optional(),
    /** Until when clients accept it. */
    expiresAt: z.string().optional(),
  })
);
/** The release that this machine published last. */
export type Published = Readonly<z.infer<typeof Published>>;

const PUBLISHED = new RebuiltFile("published.json", Published);

/** Returns the last release that this machine published to a target. */
export function findPublished(store: Store, target: string): Published | undefined {
  const published = PUBLISHED.find(store);
  return published?.target === target ? published : undefined;
}

export function rememberPublished(store: Store, published: Published): void {
  PUBLISHED.replace(store, published);
}

const ARCHIVED = new RebuiltFile(
  "archived.json",
  z.lazy(() => z.object({ sequence: z.number().int().min(0).max(SEQUENCE_MAX) })),
);

/**
 * Returns the sequence of the next archive: the time in seconds, or one more than the last archive's where the clock was
 * set back. A machine that only writes archives has no registry that counts for it, and a machine that is new for each
 * training has no memory either; the time grows from machine to machine.
 */
export function nextArchiveSequence(store: Store, now: Date): number {
  const last = ARCHIVED.find(store)?.sequence ?? 0;
  return Math.min(SEQUENCE_MAX, Math.max(last + 1, Math.floor(now.getTime() / 1000)));
}

export function rememberArchiveSequence(store: Store, sequence: number): void {
  ARCHIVED.replace(store, { sequence });
}
