import { join } from "node:path";
import { type FileSystem, removeIfThere } from "../core/files.ts";

/** Removes the write permission of other users. */
const STRICT_UMASK = "022";
const OTHERS_WRITE = 0o022;
const ANY_MODE = 0o666;

/**
 * Returns the umask with which git's new files in `folder` are not writable for other users; `undefined` if this
 * process's umask is strict enough. Reading the umask needs a permission for all system information, so the mode of a
 * test file is read instead.
 */
export function strictUmask(fs: FileSystem, folder: string): string | undefined {
  if (Deno.build.os === "windows") return undefined;
  const probe = join(folder, "model-sync.umask");
  try {
    removeIfThere(fs, probe);
    fs.openSync(probe, { write: true, createNew: true, mode: ANY_MODE }).close();
    const mode = fs.statSync(probe).mode ?? 0;
    removeIfThere(fs, probe);
    return (mode & OTHERS_WRITE) === 0 ? undefined : STRICT_UMASK;
  } catch {
    // If no file can be created, git cannot create any either.
    return undefined;
  }
}
