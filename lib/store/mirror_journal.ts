import * as z from "zod";
import { findEntry, syncFolder } from "../core/files.ts";
import { sweepMirrorScratch } from "./mirror_scratch.ts";
import { MirrorStep } from "./mirror_step.ts";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

const Journal = z.lazy(() => z.object({ runId: z.string(), steps: z.array(MirrorStep).readonly() }));
/** The renames that are left once the new files are on the disk; in reverse order, they undo the mirroring. */
export type MirrorJournal = Readonly<z.infer<typeof Journal>>;

/** Where they are written down. */
export const MIRROR_JOURNAL = new RebuiltFile<MirrorJournal>("mirror.json", Journal);

/** Drops a prepared mirroring: the journal first, because without it no file is moved any more. */
export async function abandonMirror(store: Store): Promise<void> {
  if (findEntry(store.fs, MIRROR_JOURNAL.path(store)) !== undefined) {
    MIRROR_JOURNAL.remove(store);
    syncFolder(store.fs, store.root);
  }
  await sweepMirrorScratch(store);
}
