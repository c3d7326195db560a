import { matchesAny } from "../core/wildcards.ts";
import { isClutter } from "../release/clutter.ts";
import { MANIFEST_NAME } from "../release/manifest.ts";
import { SIGNATURE_NAME } from "../release/registry_file.ts";

/** Which files of a repository are models. */
export interface RepoLayout {
  /** The folder of the models in the repository, "" for its root. */
  readonly folder: string;
  /** Patterns for paths below that folder; none: all. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** What stands at a repository's root without being a model. */
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

/** Where a file of the release is in the repository. */
export function repoPath({ folder }: Pick<RepoLayout, "folder">, path: string): string {
  return folder === "" ? path : `${folder}/${path}`;
}

/** The path in the release of a file of the repository, or `undefined` for one that is no model, by name or patterns. */
export function modelPath(layout: RepoLayout, path: string): string | undefined {
  const { folder } = layout;
  if (FURNITURE.includes(path)) return undefined;
  if (folder !== "" && !path.startsWith(`${folder}/`)) return undefined;
  const relative = folder === "" ? path : path.slice(folder.length + 1);
  return isWanted(layout, relative) && !isClutter(relative) ? relative : undefined;
}

/** Whether the patterns let a file pass. */
export function isWanted({ include, exclude }: RepoLayout, path: string): boolean {
  return (include.length === 0 || matchesAny(path, include)) && !matchesAny(path, exclude);
}

/** Tells a layout from others. */
export function describeLayout({ folder, include, exclude }: RepoLayout): string {
  return JSON.stringify([folder, include, exclude]);
}
