import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { DiskError, diskError } from "../core/errors.ts";
import { replaceFile } from "../core/replace_file.ts";
import { commitMessage } from "./describe_changes.ts";
import { filesOf } from "./plan.ts";
import type { RepositoryPlans } from "./proposal.ts";

/** The changes that would be proposed for a repository. */
export interface OfflineRendering {
  /** The paths of the written files. */
  readonly written: readonly string[];
  /** The difference to the base branch. */
  readonly patch: string;
}

/** The name of the patch beside the files. */
export const PATCH_NAME = "changes.diff";

/**
 * Commits the changes in the clone, on the branch that would be pushed, and writes the changed files to a folder.
 * Nothing is pushed.
 */
export async function renderOffline(
  context: Context,
  { repository, plans }: RepositoryPlans,
  branch: string,
  outputDir: string | undefined,
): Promise<OfflineRendering> {
  const changed = plans.filter(({ changes }) => changes.length > 0);
  const files = filesOf(changed);
  const tree = await repository.treeWith(repository.base, files);
  const commit = await repository.commit(tree, repository.base, `${commitMessage(changed)}\n`);
  await repository.nameLocally(branch, commit);
  const patch = await repository.patch(repository.base, commit);
  return { patch, written: outputDir === undefined ? [] : writeFiles(context, outputDir, files) };
}

function writeFiles({ fs }: Context, outputDir: string, files: ReadonlyMap<string, string>): string[] {
  try {
    fs.mkdirSync(outputDir, { recursive: true });
    return Array.from(files, ([path, text]) => {
      const target = join(outputDir, path);
      replaceFile(fs, target, text);
      return target;
    });
  } catch (error) {
    throw inTheWay(error, outputDir) ?? diskError(error, `write to ${outputDir}`);
  }
}

function inTheWay(error: unknown, outputDir: string): DiskError | undefined {
  if (!(error instanceof Deno.errors.AlreadyExists || error instanceof Deno.errors.NotADirectory)) {
    return undefined;
  }
  return new DiskError(`Cannot write to ${outputDir}: a file is in the place of the folder`, {
    code: "FOLDER_NOT_WRITABLE",
    cause: error,
    hint: "move the file away, or name another folder with --output-dir",
  });
}
