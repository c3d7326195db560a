/**
 * Creates a ZIP of a folder's files, with their digests.
 *
 *     deno run -A tests/bench/measured/create_archive.ts ARCHIVE FOLDER
 */
import { join } from "node:path";
import { writeZip } from "../../../lib/archive/zip_writer.ts";

const [path = "", folder = ""] = Deno.args;
const context = { fs: Deno, signal: new AbortController().signal };
const files = Array.from(
  Deno.readDirSync(folder),
  ({ name }) => ({ path: name, location: join(folder, name) }),
);
await writeZip(context, path, files, {});
