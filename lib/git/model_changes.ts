import type { Context } from "../core/context.ts";
import type { Manifest, ReleaseFile } from "../release/manifest.ts";
import type { ModelSet, SetFile } from "../release/model_set.ts";
import type { Git } from "./git.ts";
import type { ObjectFormat, ObjectId } from "./object_id.ts";
import { pointerId } from "./pack_models.ts";
import { type CommittedFile, hashBlob, readAgain } from "./read_again.ts";
import { findInLfs } from "./stage_models.ts";
import { REGULAR_FILES, type TreeEntry } from "./tree.ts";

/** A model set to commit. */
export interface ComparedModels {
  readonly subdir: string;
  readonly set: ModelSet;
  /** Paths within the set to keep in Git LFS. */
  readonly lfsPaths: readonly string[];
  /** The manifest of the parent commit, if this machine knows that it matches the files. */
  readonly base: Manifest | undefined;
}

/** The model folder of the parent commit. */
export interface HeldModels {
  readonly entries: readonly TreeEntry[];
  readonly format: ObjectFormat;
  /** Whether an earlier publish put a path of the repository into Git LFS. */
  readonly wasInLfs: (path: string) => boolean;
}

/** What a publish changes in the model folder of the parent commit. */
export interface ModelChanges {
  /** The files that the parent commit has, with what it has in their place. */
  readonly unchanged: readonly CommittedFile[];
  readonly write: readonly SetFile[];
  /** The paths of those of {@link write} that are in Git LFS. */
  readonly inLfs: ReadonlySet<string>;
  /** The entries of the parent commit that the set does not have. */
  readonly gone: readonly TreeEntry[];
}

/**
 * Compares a model set with the parent commit. Files are compared by the manifest if this machine knows that it is
 * right, and otherwise read.
 *
 * @param git with an index of the new commit's attributes
 * @throws {FailedError} codes `GIT_CONVERTS`, `MODELS_CHANGING`
 */
export async function findChanges(
  context: Context,
  git: Git,
  compared: ComparedModels,
  held: HeldModels,
): Promise<ModelChanges> {
  const { subdir, set, base } = compared;
  const regular = held.entries.filter(({ mode }) => REGULAR_FILES.includes(mode));
  const blobs = new Map(regular.map(({ path, blob }) => [path.slice(subdir.length + 1), blob]));
  const known = knownUnchanged(compared, held);
  const unchanged: CommittedFile[] = [];
  const compare: SetFile[] = [];
  for (const file of set.files) {
    const [before, blob] = [known.get(file.path), blobs.get(file.path)];
    if (before !== undefined && blob !== undefined) unchanged.push({ ...before, blob });
    else compare.push(file);
  }
  const inLfs = await findInLfs(git, subdir, compare.map(({ path }) => path));
  const write: SetFile[] = [];
  for (const file of compare) {
    const same = await findSame(context, held.format, file, {
      blob: blobs.get(file.path),
      isInLfs: inLfs.has(file.path),
      isKnown: base !== undefined,
    });
    if (same === undefined) write.push(file);
    else unchanged.push(same);
  }
  const kept = new Set(set.files.map((file) => file.path));
  const gone = held.entries.filter(({ path }) => !kept.has(path.slice(subdir.length + 1)));
  return { unchanged, write, inLfs, gone };
}

/** Returns the files whose content, and whose storage inside or outside Git LFS, did not change. */
function knownUnchanged(
  { subdir, set, lfsPaths, base }: ComparedModels,
  { wasInLfs }: HeldModels,
): Map<string, ReleaseFile> {
  const before = new Map(base?.files.map((file) => [file.path, file]));
  const inLfs = new Set(lfsPaths);
  const unchanged = new Map<string, ReleaseFile>();
  for (const { path, sha256 } of set.files) {
    const file = before.get(path);
    const stays = wasInLfs(`${subdir}/${path}`) === inLfs.has(path);
    if (file?.sha256 === sha256 && stays) unchanged.set(path, file);
  }
  return unchanged;
}

/** Returns a file if the parent commit has the same in its place. */
async function findSame(
  context: Context,
  format: ObjectFormat,
  file: SetFile,
  { blob, isInLfs, isKnown }: {
    readonly blob: ObjectId | undefined;
    readonly isInLfs: boolean;
    /** The manifest says that the file or its storage changed. */
    readonly isKnown: boolean;
  },
): Promise<CommittedFile | undefined> {
  if (blob === undefined) return undefined;
  if (isInLfs) {
    if (await pointerId(format, file) !== blob) return undefined;
    return { ...await readAgain(context, file, { isForManifest: true }), blob };
  }
  if (isKnown) return undefined;
  const hashed = await hashBlob(context, format, file);
  return hashed.blob === blob ? hashed : undefined;
}
