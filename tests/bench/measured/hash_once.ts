import { join } from "node:path";
import { hashFile } from "../../../lib/core/hash.ts";

/** Hashes each file in a folder once. With `chunks`, lists their chunks, too, and prints the size of the lists. */
const [dir = "", mode] = Deno.args;
const { signal } = new AbortController();
let listBytes = 0;
for (const { name } of Deno.readDirSync(dir)) {
  const digest = await hashFile(Deno, join(dir, name), { signal, isForManifest: mode === "chunks" });
  listBytes += digest.contentChunks?.length ?? 0;
}
if (mode === "chunks") Deno.stdout.writeSync(new TextEncoder().encode(`${listBytes}\n`));
