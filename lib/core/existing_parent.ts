import { dirname } from "node:path";
import { type FileSystem, ifFound } from "./files.ts";

/** Returns the path itself, or the nearest folder above it that exists. */
export function existingParent(fs: FileSystem, path: string): string {
  if (ifFound(() => fs.statSync(path)) !== undefined || dirname(path) === path) return path;
  return existingParent(fs, dirname(path));
}
