import type { Context } from "../core/context.ts";
import { ModelSyncError } from "../core/errors.ts";
import { type FileSystem, findText, writeAllSync } from "../core/files.ts";
import { runProcess } from "../core/subprocess.ts";

/** A query of local files. */
const TIMEOUT_MS = 10_000;

/** A longer list of patterns was not written by a person. */
const BYTES_MAX = 1024 * 1024;

/**
 * Returns the names that git does not ignore in the working directory: none outside of a work tree, and none without
 * git. Needs the run permission.
 *
 * @param names with a slash at the end for folders
 */
export async function namesNotIgnored(context: Context, names: readonly string[]): Promise<string[]> {
  try {
    const { code, stdout } = await runProcess(context.spawn, {
      command: "git",
      args: ["check-ignore", ...names],
      env: { LC_ALL: "C" },
      timeoutMs: TIMEOUT_MS,
      signal: context.signal,
    });
    // 0: some are ignored, 1: none is, 128: there is no work tree.
    if (code > 1) return [];
    const ignored = new TextDecoder().decode(stdout).split("\n");
    return names.filter((name) => !ignored.includes(name));
  } catch (error) {
    if (error instanceof ModelSyncError && error.code === "PROGRAM_MISSING") return [];
    throw error;
  }
}

const FILE = ".gitignore";

/**
 * Appends names to the `.gitignore` of the working directory, which is created if it is missing.
 *
 * @throws {UnusableFileError} if it is not a file
 */
export function ignoreNames(fs: FileSystem, names: readonly string[]): void {
  const text = findText(fs, FILE, BYTES_MAX) ?? "";
  const lines = names.map((name) => `${name}\n`).join("");
  using file = fs.openSync(FILE, { append: true, create: true });
  writeAllSync(file, new TextEncoder().encode(text === "" || text.endsWith("\n") ? lines : `\n${lines}`));
}
