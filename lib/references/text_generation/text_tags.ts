import { compareCodePoints, pythonStrip } from "./python_text.ts";

/** The style of a model whose row names none. */
export const DEFAULT_STYLE = "generalist";

/** The tags of a record: those of the cell, the style that the row names, and the size; sorted by code point. */
export function tagsOf(cell: string, style: string, sizeTag: string): readonly string[] {
  const named = cell === "" ? [] : cell.split(",").map(pythonStrip);
  return sortedTags([...named, ...style === "" ? [] : [style], sizeTag]);
}

/** Without repetitions, in the order of `sorted()`. */
export function sortedTags(tags: readonly string[]): readonly string[] {
  return [...new Set(tags)].sort(compareCodePoints);
}

/** The cell of the tags that a row has to name, beside those that come by themselves. */
export function tagsCell(tags: readonly string[], style: string, sizeTag: string): string {
  const automatic = style === "" ? [sizeTag] : [style, sizeTag];
  const named = [...new Set(tags)].filter((tag) => !automatic.includes(tag));
  // An empty cell names no tag, not the empty one; two empty tags are one.
  return named.length === 1 && named[0] === "" ? "," : named.join(",");
}
