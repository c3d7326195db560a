import type { Context } from "./context.ts";
import { IMMUTABLE_FILE_MODE, setMode } from "./files.ts";
import { writeAll } from "./hash.ts";
import { readPieces } from "./read_pieces.ts";

/**
 * Copies a file to a path that does not exist yet. The copy is read-only, and synced to the disk when this resolves.
 */
export async function copyFile(
  { fs, signal }: Pick<Context, "fs" | "signal">,
  from: string,
  to: string,
): Promise<void> {
  using source = await fs.open(from, { read: true });
  using target = await fs.open(to, { write: true, createNew: true });
  for await (const piece of readPieces(source, signal)) await writeAll(target, piece);
  setMode(fs, to, IMMUTABLE_FILE_MODE);
  await target.sync();
}
