import type { Category } from "../config/sections/references.ts";
import type { ModelChange } from "./compare_records.ts";

/** The texts of reference files by their paths, without missing files. */
export type FileTexts = ReadonlyMap<string, string>;

/**
 * `keep` changes only the models that differ, in the file's own style. `canonical` rewrites whole files as Python
 * writes JSON.
 */
export type FileFormat = "keep" | "canonical";

/** The number of a file's models that are removed or emptied. */
export interface Shrink {
  readonly removed: number;
  /** See `isEmptied`. */
  readonly emptied: number;
  readonly before: number;
}

/** The changes that bring a category's files in line with PRIMARY. */
export interface CategoryPlan {
  readonly category: Category;
  readonly changes: readonly ModelChange[];
  /** The new texts of changed files; empty without changes. */
  readonly files: FileTexts;
  /** Models removed or emptied, in the file with the larger share of losses. */
  readonly shrink: Shrink;
  /** Changes that the files cannot hold; not part of `changes`. */
  readonly skipped: readonly ModelChange[];
  /** The number of records on each side. */
  readonly counts: { readonly primary: number; readonly files: number };
  readonly warnings: readonly string[];
}

/** Returns the files that plans write. */
export function filesOf(plans: readonly CategoryPlan[]): FileTexts {
  return new Map(plans.flatMap(({ files }) => [...files]));
}
