import { dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { diskError, FailedError } from "../core/errors.ts";
import { makeWay, removeFile, removeTree, replaceFile, syncFolder } from "../core/files.ts";
import { copyAndHash } from "../core/hash.ts";
import { type ReleaseFile, releaseFile } from "../release/manifest.ts";
import type { SetFile } from "../release/model_set.ts";
import { scratchOf } from "./journal.ts";
import { syncFiles } from "./sync_clone.ts";
import { BlobHasher, type ObjectFormat, type ObjectId } from "./object_id.ts";
import type { Registry } from "./registry.ts";

/** The changes of the worktree's model folder. */
export interface WorktreePlan {
  /** The model folder in the repository. */
  readonly subdir: string;
  readonly write: readonly SetFile[];
  /** Relative to the model folder. */
  readonly remove: readonly string[];
  /** The hash by which the repository names its objects. */
  readonly format: ObjectFormat;
}

/** A written file, with git's name for its content. */
export interface WrittenFile extends ReleaseFile {
  readonly blob: ObjectId;
}

/**
 * Applies a plan to the worktree's model folder. Each file is copied beside the worktree, its digest is compared with
 * the scan, and it is renamed into place. Links in the way are removed, never followed: a registry cannot make a
 * publisher write elsewhere.
 *
 * @returns the manifest entries of the files that were written
 * @throws {FailedError} code `MODELS_CHANGING` when a file changed since the scan
 */
export async function writeWorktree(
  context: Context,
  registry: Registry,
  plan: WorktreePlan,
): Promise<WrittenFile[]> {
  const { fs } = context;
  const root = registry.git.repoDir;
  const scratch = scratchOf(registry);
  const written: WrittenFile[] = [];
  const totalBytes = plan.write.reduce((sum, file) => sum + file.size, 0);
  let doneBytes = 0;
  try {
    await removeTree(fs, scratch);
    fs.mkdirSync(scratch);
    for (const [index, file] of plan.write.entries()) {
      const temporary = join(scratch, String(index));
      const blob = await BlobHasher.create(plan.format, file.size);
      const digest = await copyAndHash(fs, file.location, temporary, {
        signal: context.signal,
        isForManifest: file.contentChunks === undefined,
        onBytes: (piece) => {
          blob.update(piece);
          context.log.progress("copying", doneBytes += piece.length, totalBytes);
        },
      });
      if (digest.sha256 !== file.sha256) throw changing(file.path);
      const target = join(root, plan.subdir, file.path);
      makeWay(fs, root, target);
      fs.renameSync(temporary, target);
      const { location: _, ...known } = file;
      written.push({ ...known, ...releaseFile(file.path, digest), blob: blob.id() });
    }
    for (const path of plan.remove) removeFile(fs, join(root, plan.subdir, path));
    await syncFiles(context, root, written.map(({ path }) => join(root, plan.subdir, path)));
    await removeTree(fs, scratch);
    return written;
  } catch (error) {
    throw diskError(error, `write models into ${root}`);
  }
}

/** Writes a small file of the worktree atomically. */
export function placeText(context: Context, registry: Registry, path: string, text: string): void {
  const { fs } = context;
  const temporary = join(scratchOf(registry), "text");
  const target = join(registry.git.repoDir, path);
  fs.mkdirSync(scratchOf(registry), { recursive: true });
  replaceFile(fs, temporary, text);
  makeWay(fs, registry.git.repoDir, target);
  fs.renameSync(temporary, target);
  syncFolder(fs, dirname(target));
}

/** Returns the error for a model folder that changes during the publish. */
export function changing(path: string): FailedError {
  return new FailedError(`Cannot publish ${path}: it changed while it was being published`, {
    code: "MODELS_CHANGING",
    hint: "wait until the training has finished and run again",
  });
}
