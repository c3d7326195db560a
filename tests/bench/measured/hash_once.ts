import { join } from "node:path";
import { hashFile } from "../../../lib/core/hash.ts";

/** Hashes every file of a folder once, for comparison with signing. */
const [dir = "."] = Deno.args;
const { signal } = new AbortController();
for (const { name } of Deno.readDirSync(dir)) await hashFile(Deno, join(dir, name), { signal });
