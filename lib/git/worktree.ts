import { dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { diskError, FailedError } from "../core/errors.ts";
import { findEntry, removeIfThere, removeTree } from "../core/files.ts";
import { copyAndHash } from "../core/hash.ts";
import { type ReleaseFile, releaseFile } from "../release/manifest.ts";
import type { SetFile } from "../release/model_set.ts";
import { scratchOf } from "./journal.ts";
import type { Registry } from "./registry.ts";

/** What the worktree's model folder has to become. */
export interface WorktreePlan {
  /** The model folder in the repository. */
  readonly subdir: string;
  readonly write: readonly SetFile[];
  /** Relative to the model folder. */
  readonly remove: readonly string[];
}

/**
 * Brings the worktree's model folder to a plan: each file copied beside the worktree, its digest compared with what was
 * scanned, then renamed into place. Links in the way are removed, never followed: a registry cannot make a publisher
 * write elsewhere.
 *
 * @returns the manifest entries of the files that were written
 * @throws {FailedError} code `MODELS_CHANGING` when a file is no longer what was scanned
 */
export async function writeWorktree(
  context: Context,
  registry: Registry,
  plan: WorktreePlan,
): Promise<ReleaseFile[]> {
  const { fs } = context;
  const root = registry.git.repoDir;
  const scratch = scratchOf(registry);
  const written: ReleaseFile[] = [];
  const totalBytes = plan.write.reduce((sum, file) => sum + file.size, 0);
  let doneBytes = 0;
  try {
    await removeTree(fs, scratch);
    fs.mkdirSync(scratch);
    for (const [index, file] of plan.write.entries()) {
      const temporary = join(scratch, String(index));
      const digest = await copyAndHash(fs, file.location, temporary, { signal: context.signal });
      if (digest.sha256 !== file.sha256) throw changing(file.path);
      const target = join(root, plan.subdir, file.path);
      clearTheWay(context, root, target);
      fs.mkdirSync(dirname(target), { recursive: true });
      fs.renameSync(temporary, target);
      written.push(releaseFile(file.path, digest));
      doneBytes += digest.bytes;
      context.log.progress("copying", doneBytes, totalBytes);
    }
    for (const path of plan.remove) removeIfThere(fs, join(root, plan.subdir, path));
    await removeTree(fs, scratch);
    return written;
  } catch (error) {
    throw diskError(error, `write models into ${root}`);
  }
}

function clearTheWay(context: Context, root: string, target: string): void {
  const { fs } = context;
  if (findEntry(fs, target)?.isDirectory) fs.removeSync(target, { recursive: true });
  for (let folder = dirname(target); folder !== root; folder = dirname(folder)) {
    const entry = findEntry(fs, folder);
    if (entry !== undefined && !entry.isDirectory) fs.removeSync(folder);
  }
}

/** The refusal of a model folder that somebody writes to right now. */
export function changing(path: string): FailedError {
  return new FailedError(`Cannot publish ${path}: it changed while it was being published`, {
    code: "MODELS_CHANGING",
    hint: "wait until the training has ended and run again",
  });
}
