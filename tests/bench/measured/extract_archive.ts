/**
 * Extracts an archive as staging does: every file is written, hashed while it is written, and synced.
 *
 *     deno run -A tests/bench/measured/extract_archive.ts ARCHIVE FOLDER
 */
import { dirname, join } from "node:path";
import { openArchive } from "../../../lib/archive/open_archive.ts";
import { ARCHIVE_LIMITS } from "../../../lib/archive/archive_limits.ts";
import { FileHasher, writeAll } from "../../../lib/core/hash.ts";

const [path = "", folder = ""] = Deno.args;
const context = { fs: Deno, signal: new AbortController().signal };
await using archive = await openArchive(context, path, path, ARCHIVE_LIMITS);
for await (const { entry, content } of archive.read()) {
  const target = join(folder, entry.path);
  Deno.mkdirSync(dirname(target), { recursive: true });
  using file = await Deno.open(target, { write: true, createNew: true });
  const hasher = await FileHasher.create();
  for await (const piece of content) {
    const written = writeAll(file, piece);
    hasher.update(piece);
    await written;
  }
  await file.sync();
  Deno.stdout.writeSync(new TextEncoder().encode(`${hasher.digest().sha256}  ${entry.path}\n`));
}
