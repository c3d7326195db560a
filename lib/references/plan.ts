import type { Category } from "../config/sections/references.ts";
import type { ModelChange } from "./compare_records.ts";

/** Reference files by their paths; a file that is not there is not in it. */
export type FileTexts = ReadonlyMap<string, string>;

/** `keep`: only what changed is written, in the file's own style. `canonical`: whole files, as Python writes JSON. */
export type FileFormat = "keep" | "canonical";

/** How many of the models that a file has are removed, or stay without their content. */
export interface Shrink {
  readonly removed: number;
  /** See `isEmptied`. */
  readonly emptied: number;
  readonly before: number;
}

/** What has to be done for a category to be what PRIMARY says. */
export interface CategoryPlan {
  readonly category: Category;
  readonly changes: readonly ModelChange[];
  /** The files that are to be written; none without changes. */
  readonly files: FileTexts;
  /** How many of its models go or are emptied, in the file that loses the larger share. */
  readonly shrink: Shrink;
  /** What PRIMARY says and the files cannot hold; nothing of it is in `changes`. */
  readonly skipped: readonly ModelChange[];
  /** How many records each side has. */
  readonly counts: { readonly primary: number; readonly files: number };
  readonly warnings: readonly string[];
}

/** The files that plans write. */
export function filesOf(plans: readonly CategoryPlan[]): FileTexts {
  return new Map(plans.flatMap(({ files }) => [...files]));
}
