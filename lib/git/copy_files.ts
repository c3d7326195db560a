import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { osErrorCode } from "../core/errors.ts";
import { type FileSystem, findEntry, removeIfThere, setMode, syncFolder } from "../core/files.ts";
import { writeAll } from "../core/hash.ts";
import { readPieces } from "../core/read_pieces.ts";

/**
 * Copies a folder of programs with all modes, and syncs it. Links stay links. Entries that are neither files nor folders
 * are left out.
 *
 * @param from may be missing
 * @param to does not exist
 */
export async function copyTree(
  context: Pick<Context, "fs" | "signal">,
  from: string,
  to: string,
): Promise<void> {
  const { fs } = context;
  const entry = findEntry(fs, from);
  if (entry?.isSymlink === true) fs.symlinkSync(fs.readLinkSync(from), to);
  else if (entry?.isDirectory === true) {
    fs.mkdirSync(to);
    for (const { name } of fs.readDirSync(from)) await copyTree(context, join(from, name), join(to, name));
    syncFolder(fs, to);
  } else if (entry?.isFile === true) await copyFile(context, from, to, entry);
}

/**
 * Moves a complete file, and replaces an existing one. To another file system, it is copied and synced.
 *
 * @param temporary the beginning of the copy's path until it is complete: in an existing folder on that file system
 */
export async function moveFile(
  context: Pick<Context, "fs" | "signal">,
  from: string,
  to: string,
  temporary: string,
): Promise<void> {
  const { fs } = context;
  try {
    return fs.renameSync(from, to);
  } catch (error) {
    if (osErrorCode(error) !== "EXDEV") throw error;
  }
  // Runs in other clones may use the same folder.
  const copy = `${temporary}${crypto.randomUUID()}`;
  try {
    await copyFile(context, from, copy, fs.statSync(from));
    fs.renameSync(copy, to);
  } catch (error) {
    removeIfThere(fs, copy);
    throw error;
  }
  removeIfThere(fs, from);
}

async function copyFile(
  { fs, signal }: { readonly fs: FileSystem; readonly signal: AbortSignal },
  from: string,
  to: string,
  { mode }: Pick<Deno.FileInfo, "mode">,
): Promise<void> {
  using source = await fs.open(from, { read: true });
  using target = await fs.open(to, { write: true, createNew: true });
  for await (const piece of readPieces(source, signal)) await writeAll(target, piece);
  if (mode !== null) setMode(fs, to, mode & 0o777);
  await target.sync();
}
