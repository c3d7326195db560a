import { join } from "node:path";
import type { FileSystem } from "../core/files.ts";

/** Where a folder is probed: nobody else has a folder of this name. */
export function probePath(folder: string): string {
  return join(folder, `.model-sync-doctor-${Deno.pid}`);
}

/** Returns why a folder cannot be written to; `undefined` when it can. A folder is made in it and removed again. */
export function probeWritable(fs: FileSystem, folder: string): string | undefined {
  const probe = probePath(folder);
  try {
    fs.mkdirSync(probe);
    fs.removeSync(probe);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
