import { join } from "node:path";
import { z } from "zod";
import { replaceFile } from "../core/files.ts";
import { LFS_SETTINGS } from "../config/choices.ts";
import { Digest } from "../release/manifest.ts";
import { readState } from "./state_entries.ts";
import type { Store } from "./store.ts";

const Published = z.object({
  /** Which registry: clone, branch and folder. */
  target: z.string(),
  /** The commit after which nothing was to do. */
  head: z.string(),
  /** Git's name for the model folder in it, so that edits by other hands show. */
  tree: z.string(),
  /** The tree was compared with the release, object by object; earlier versions took git's word for it. */
  checked: z.boolean().optional(),
  digest: Digest,
  sequence: z.number(),
  /** The setting that it was published under: another one moves files although none of them changed. */
  lfs: z.enum(LFS_SETTINGS).optional(),
  /** The key that signed it. */
  signedBy: z.string().optional(),
  /** Until when clients take it. */
  expiresAt: z.string().optional(),
});
/** What this machine published last. */
export type Published = Readonly<z.infer<typeof Published>>;

export function findPublished(store: Store, target: string): Published | undefined {
  const published = readState(store, "published.json", Published);
  return published?.target === target ? published : undefined;
}

export function rememberPublished(store: Store, published: Published): void {
  replaceFile(store.fs, path(store), `${JSON.stringify(published)}\n`);
}

function path(store: Store): string {
  return join(store.root, "published.json");
}
