import { isAbsolute, resolve } from "node:path";
import { isBelowHome } from "./home_folder.ts";

/**
 * Returns whether the address of a git repository is a path on this machine. Git reads `host:path` as SSH unless a
 * slash comes before the colon. `C:\` is a drive on Windows only.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { isGitPath } from "./local_path.ts";
 * assert.deepEqual(["../models.git", "./a:b", "a:b", "https://a/b"].map(isGitPath), [true, true, false, false]);
 * ```
 */
export function isGitPath(address: string): boolean {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(address)) return false;
  if (Deno.build.os === "windows" && /^[a-z]:[\\/]/i.test(address)) return true;
  const colon = address.indexOf(":");
  return colon === -1 || address.slice(0, colon).includes("/");
}

/**
 * Returns a path that a person typed as an absolute one. A path that begins with `~` stays: the loader of the
 * configuration expands it. An empty text stays, because it is not a path.
 *
 * @param folder in which a relative path starts
 */
export function pathFrom(folder: string, path: string): string {
  return path === "" || isBelowHome(path) || isAbsolute(path) ? path : resolve(folder, path);
}
