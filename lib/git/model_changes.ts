import type { Context } from "../core/context.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import type { Manifest, ReleaseFile } from "../release/manifest.ts";
import type { ManifestText } from "../release/manifest_text.ts";
import type { ModelSet, SetFile } from "../release/model_set.ts";
import type { DraftTree } from "./draft_tree.ts";
import type { ObjectFormat } from "./object_id.ts";
import { pointerId } from "./pack_models.ts";
import { type CommittedFile, hashBlob, readAgain } from "./read_again.ts";
import { findInLfs } from "./stage_models.ts";

/** How a model set differs from the manifest of the parent commit. */
export interface ModelDelta {
  readonly text: ManifestText;
  /** The files of the set that the manifest does not have, or has with other content. */
  readonly changed: readonly SetFile[];
  /** The paths of the files that the set does not have. */
  readonly removed: readonly string[];
}

/** A model set to commit. */
export interface ComparedModels {
  readonly subdir: string;
  readonly set: ModelSet;
  /** Paths within the set to keep in Git LFS. */
  readonly lfsPaths: readonly string[];
  /** The manifest of the parent commit, if this machine knows that it matches the files. */
  readonly base: Manifest | undefined;
  /** How it differs from {@link base}, if that is known. */
  readonly delta: ModelDelta | undefined;
}

/** A model set, divided by what the manifest of the parent commit says. */
export interface DividedModels {
  /** The files whose content, and whose storage inside or outside Git LFS, did not change. */
  readonly unchanged: () => readonly ReleaseFile[];
  readonly compare: readonly SetFile[];
  /** The files of the manifest that the set does not have. */
  readonly gone: readonly Pick<ReleaseFile, "path">[];
}

/**
 * Divides a model set by the manifest of the parent commit. Without one, all files have to be compared.
 *
 * @param wasInLfs whether an earlier publish put a path of the repository into Git LFS
 */
export function divideModels(
  { subdir, set, lfsPaths, base, delta }: ComparedModels,
  wasInLfs: (path: string) => boolean,
): DividedModels {
  if (delta !== undefined) return divideByDelta(base, delta);
  const inLfs = new Set(lfsPaths);
  const unchanged: ReleaseFile[] = [];
  const compare: SetFile[] = [];
  const gone: ReleaseFile[] = [];
  // Another program may have written the manifest again, in another order.
  const before = (base?.files ?? []).toSorted((a, b) => compareUtf8(a.path, b.path));
  let row = 0;
  for (const file of set.files) {
    let old = before[row];
    for (; old !== undefined && isBefore(old, file); old = before[++row]) gone.push(old);
    if (old?.path !== file.path) compare.push(file);
    else {
      row++;
      const stays = old.sha256 === file.sha256 &&
        wasInLfs(`${subdir}/${file.path}`) === inLfs.has(file.path);
      if (stays) unchanged.push(old);
      else compare.push(file);
    }
  }
  return { unchanged: () => unchanged, compare, gone: [...gone, ...before.slice(row)] };
}

/** Of many files, the unchanged ones are listed only if they are needed. */
function divideByDelta(base: Manifest | undefined, { changed, removed }: ModelDelta): DividedModels {
  const others = new Set([...removed, ...changed.map(({ path }) => path)]);
  return {
    unchanged: () => (base?.files ?? []).filter(({ path }) => !others.has(path)),
    compare: changed,
    gone: removed.map((path) => ({ path })),
  };
}

function isBefore(file: ReleaseFile, other: ReleaseFile): boolean {
  return file.path !== other.path && compareUtf8(file.path, other.path) < 0;
}

/** The files of a model set that may differ from the parent commit, after the comparison. */
export interface ModelChanges {
  /** Those that the parent commit has. */
  readonly same: readonly CommittedFile[];
  readonly write: readonly SetFile[];
  /** The paths of those of {@link write} that are in Git LFS. */
  readonly inLfs: ReadonlySet<string>;
}

/**
 * Compares files with the parent commit. Unless its manifest is known to be right, they are read.
 *
 * @throws {FailedError} codes `GIT_CONVERTS`, `MODELS_CHANGING`
 */
export async function findChanges(
  context: Context,
  draft: DraftTree,
  { subdir, base }: Pick<ComparedModels, "subdir" | "base">,
  compare: readonly SetFile[],
  format: ObjectFormat,
): Promise<ModelChanges> {
  const inLfs = draft.hasFilters
    ? await findInLfs(draft.git, subdir, compare.map(({ path }) => path))
    : new Set<string>();
  const same: CommittedFile[] = [];
  const write: SetFile[] = [];
  for (const file of compare) {
    const found = await findSame(context, format, file, {
      blob: draft.blobOf(`${subdir}/${file.path}`),
      isInLfs: inLfs.has(file.path),
      isKnown: base !== undefined,
    });
    if (found === undefined) write.push(file);
    else same.push(found);
  }
  return { same, write, inLfs };
}

/** Returns a file if the parent commit has the same in its place. */
async function findSame(
  context: Context,
  format: ObjectFormat,
  file: SetFile,
  { blob, isInLfs, isKnown }: {
    readonly blob: string | undefined;
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
