import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { RefusedError, UsageError } from "../core/errors.ts";
import { ifFound } from "../core/files.ts";
import { hashFile } from "../core/hash.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import { quote } from "../core/quote.ts";
import { RELEASE_FILES_MAX, totalBytes } from "../release/manifest.ts";
import type { Resource } from "./statement.ts";

/** Left out at the root of a signed folder, but not below it. */
export const GIT_PATHS: readonly string[] = [".git", ".gitattributes", ".github", ".gitignore"];

/** A file, by its path in the folder. */
export interface TreeFile {
  readonly name: string;
  readonly size: number;
}

/**
 * Lists every regular file in a folder, including empty files and dotfiles, sorted by code point.
 *
 * @param ignorePaths files and folders to leave out, with everything in them
 * @throws {UsageError} code `FOLDER_MISSING`; {@link RefusedError} code `FOLDER_UNFIT` for a link, a device, a name
 * that is not UTF-8
 */
export function listTree(context: Context, root: string, ignorePaths: readonly string[]): TreeFile[] {
  const { fs } = context;
  if (ifFound(() => fs.statSync(root))?.isDirectory !== true) {
    throw new UsageError(`Cannot read ${root}: there is no such folder`, {
      code: "FOLDER_MISSING",
      hint: "name the folder whose files are signed",
    });
  }
  const ignored = new Set(ignorePaths);
  const files: TreeFile[] = [];
  const folders = [""];
  for (let prefix = folders.pop(); prefix !== undefined; prefix = folders.pop()) {
    context.signal.throwIfAborted();
    for (const entry of fs.readDirSync(join(root, prefix))) {
      const name = prefix + entry.name;
      if (ignored.has(name)) continue;
      // The runtime replaces invalid UTF-8 by U+FFFD.
      if (name.includes("\ufffd")) throw unfit(root, `the name ${quote(name)} is not valid UTF-8`);
      if (entry.isDirectory) folders.push(`${name}/`);
      else if (entry.isFile) files.push({ name, size: fs.lstatSync(join(root, name)).size });
      else {throw unfit(
          root,
          `${quote(name)} is ${entry.isSymlink ? "a symbolic link" : "neither a file nor a folder"}`,
        );}
      if (files.length > RELEASE_FILES_MAX) throw unfit(root, `it has more than ${RELEASE_FILES_MAX} files`);
    }
  }
  return files.sort((a, b) => compareUtf8(a.name, b.name));
}

/** Hashes the files of a folder. */
export async function hashTree(
  context: Context,
  root: string,
  files: readonly TreeFile[],
): Promise<Resource[]> {
  const total = totalBytes(files);
  let doneBytes = 0;
  const resources: Resource[] = [];
  for (const { name } of files) {
    const { sha256 } = await hashFile(context.fs, join(root, name), {
      signal: context.signal,
      onBytes: (piece) => context.log.progress("hashing", doneBytes += piece.length, total),
    });
    resources.push({ name, sha256 });
  }
  return resources;
}

function unfit(root: string, problem: string): RefusedError {
  return new RefusedError(`Cannot sign or verify ${root}: ${problem}`, {
    code: "FOLDER_UNFIT",
    hint: "rename, remove or replace it and run again",
  });
}
