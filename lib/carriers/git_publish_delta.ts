import { sortUtf8 } from "../core/portable_path.ts";
import { withLfsPaths } from "../git/attributes.ts";
import type { ModelDelta } from "../git/model_changes.ts";
import type { ChangeList } from "../release/changes.ts";
import type { ModelSet } from "../release/model_set.ts";
import type { PublishBase } from "./git_publish_base.ts";

/**
 * Returns how a set differs from the manifest that it replaces, if the folder was that release when it was last read. A file
 * that enters or leaves Git LFS changes although its content does not.
 */
export function deltaOf(
  set: ModelSet,
  { ownText, attributes }: PublishBase,
  lfsPaths: readonly string[],
): ModelDelta | undefined {
  const { since } = set;
  if (ownText === undefined || since?.digest !== ownText.manifest.digest) return undefined;
  if (lfsPaths.length > 0 || withLfsPaths(attributes, []) !== attributes) return undefined;
  const changed = since.seen.filter(({ path }) => since.changed.has(path));
  return { text: ownText, changed, removed: since.removed };
}

/** Returns the changes of a set since the folder was last read. */
export function changesOf({ since }: ModelSet): ChangeList {
  const added = new Set(since?.added);
  const modified = [...since?.changed ?? []].filter((path) => !added.has(path));
  return {
    added: sortUtf8([...added]),
    modified: sortUtf8(modified),
    removed: sortUtf8([...since?.removed ?? []]),
  };
}
