import type { Category } from "../config/sections/references.ts";

/** One of the two repositories that hold reference files. */
export type RepositoryKind = "image" | "text";

/** PRIMARY has these categories, but no file of the repositories contains their records. */
const WITHOUT_FILE: readonly Category[] = [
  "controlnet_annotator",
  "video_generation",
  "audio_generation",
  "lora",
  "ti",
];

/** The files of a category's records. */
export interface CategoryPlace {
  readonly repository: RepositoryKind;
  /** Paths at the root of the repository; the first file contains the records. Empty if there is no file. */
  readonly paths: readonly [string, ...string[]] | readonly [];
}

/**
 * Returns the files of a category.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { placeOf } from "./categories.ts";
 * assert.deepEqual(placeOf("clip"), { repository: "image", paths: ["clip.json"] });
 * assert.deepEqual(placeOf("image_generation").paths, ["stable_diffusion.json"]);
 * assert.deepEqual(placeOf("text_generation"), { repository: "text", paths: ["db.json", "models.csv"] });
 * assert.deepEqual(placeOf("lora").paths, []);
 * ```
 */
export function placeOf(category: Category): CategoryPlace {
  if (category === "text_generation") return { repository: "text", paths: ["db.json", "models.csv"] };
  if (WITHOUT_FILE.includes(category)) return { repository: "image", paths: [] };
  return {
    repository: "image",
    paths: [category === "image_generation" ? "stable_diffusion.json" : `${category}.json`],
  };
}
