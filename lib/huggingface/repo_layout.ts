import { matchesAny } from "../core/wildcards.ts";
import { isClutter } from "../release/clutter.ts";
import { MANIFEST_NAME } from "../release/manifest.ts";
import { SIGNATURE_NAME } from "../release/registry_file.ts";

/** The rules for which files of a repository are models. */
export interface RepoLayout {
  /** The folder of the models in the repository, "" for its root. */
  readonly folder: string;
  /** Patterns for paths below that folder. An empty list includes all. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** The files at a repository's root that are not models. */
const FURNITURE = [
  ".gitattributes",
  ".gitignore",
  "README.md",
  "LICENSE",
  "LICENSE.md",
  "LICENSE.txt",
  MANIFEST_NAME,
  SIGNATURE_NAME,
];

/** Returns the path in the repository of a file of the release. */
export function repoPath({ folder }: Pick<RepoLayout, "folder">, path: string): string {
  return folder === "" ? path : `${folder}/${path}`;
}

/** Returns the path in the release of a file of the repository; `undefined` if the file is not a model. */
export function modelPath(layout: RepoLayout, path: string): string | undefined {
  const { folder } = layout;
  if (FURNITURE.includes(path)) return undefined;
  if (folder !== "" && !path.startsWith(`${folder}/`)) return undefined;
  const relative = folder === "" ? path : path.slice(folder.length + 1);
  return isWanted(layout, relative) && !isClutter(relative) ? relative : undefined;
}

/** Returns whether the patterns include a file. */
export function isWanted({ include, exclude }: RepoLayout, path: string): boolean {
  return (include.length === 0 || matchesAny(path, include)) && !matchesAny(path, exclude);
}

/** Returns a text that is different for each layout. */
export function describeLayout({ folder, include, exclude }: RepoLayout): string {
  return JSON.stringify([folder, include, exclude]);
}
