import { join } from "node:path";
import type { FileSystem } from "../core/files.ts";

/** Returns a path in a folder for a probe. The name is unique to this process. */
export function probePath(folder: string): string {
  return join(folder, `.model-sync-doctor-${Deno.pid}`);
}

/** Returns why a folder is not writable; `undefined` if it is. Creates and removes a folder in it. */
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
