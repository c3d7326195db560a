import { join } from "node:path";

/** Returns the number of bytes of all files in a folder. */
export function bytesIn(folder: string): number {
  return Array.from(Deno.readDirSync(folder), ({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory ? bytesIn(path) : Deno.statSync(path).size;
  }).reduce((sum, bytes) => sum + bytes, 0);
}
