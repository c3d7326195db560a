import type { Category } from "../config/sections/references.ts";

/** One of the two repositories that hold reference files. */
export type RepositoryKind = "image" | "text";

/** Known to PRIMARY, but the repositories have no file for them that holds records. */
const WITHOUT_FILE: readonly Category[] = [
  "controlnet_annotator",
  "video_generation",
  "audio_generation",
  "lora",
  "ti",
];

/** Where the records of a category are kept. */
export interface CategoryPlace {
  readonly repository: RepositoryKind;
  /** At the root of the repository; the first holds the records. Empty: there is no such file. */
  readonly paths: readonly [string, ...string[]] | readonly [];
}

/**
 * The files of a category.
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
