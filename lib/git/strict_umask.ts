import { join } from "node:path";
import { type FileSystem, removeIfThere } from "../core/files.ts";

/** Takes from other users what lets them write. */
const STRICT_UMASK = "022";
const OTHERS_WRITE = 0o022;
const ANY_MODE = 0o666;

/**
 * Returns the umask that git needs in `folder`, so that other users cannot write what it makes there; `undefined` where
 * that of this process does. Reading the umask would take the permission to read all that the runtime tells of the
 * system, so a file is made and looked at.
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
    // Where no file can be made, git makes none either.
    return undefined;
  }
}
