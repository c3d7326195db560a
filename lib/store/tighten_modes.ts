import { basename, join } from "node:path";
import { findEntry, PRIVATE_MODE, withoutOthersWriting } from "../core/files.ts";
import { STATE_DIR_NAME, STATE_ENTRIES, type StateFolder } from "./state_entries.ts";

/** The entries that this program creates in a store. The state directory may hold other files, too. */
const NAMES = new Set([...Object.keys(STATE_ENTRIES), "registry"]);

/** These may hold API responses about an account, and addresses that start paid jobs. */
const PRIVATE_NAMES = new Set(["answers.json", "runpod_jobs.json"]);

const EVERYBODY_WRITES = 0o002;

/**
 * Removes write permission for other users from the entries of a store: earlier versions left that to the umask. A
 * group's write permission is often intended, and stays.
 */
export function tightenModes({ fs, root }: Pick<StateFolder, "fs" | "root">): void {
  if (Deno.build.os === "windows") return;
  const names = Array.from(fs.readDirSync(root), ({ name }) => name).filter((name) => NAMES.has(name));
  for (const name of names) tighten({ fs }, join(root, name), PRIVATE_NAMES.has(name));
  if (basename(root) === STATE_DIR_NAME) tighten({ fs }, root, false, []);
}

/** @param inside the entries of a folder, if they are known */
function tighten(
  { fs }: Pick<StateFolder, "fs">,
  path: string,
  isPrivate: boolean,
  inside?: readonly string[],
): void {
  try {
    const found = findEntry(fs, path);
    if (found === undefined || found.isSymlink) return;
    const mode = (found.mode ?? 0) & 0o7777;
    const isOpen = (mode & EVERYBODY_WRITES) !== 0;
    const wanted = isPrivate ? mode & PRIVATE_MODE : isOpen ? withoutOthersWriting(mode) : mode;
    if (wanted === mode) return;
    fs.chmodSync(path, wanted);
    // Some file systems have one mode for all entries: there, the entries of the folder need no change.
    if (!found.isDirectory || ((fs.lstatSync(path).mode ?? 0) & 0o7777) !== wanted) return;
    // Entries that were created with the same umask are as open as their folder. The folder is changed last: after a kill
    // in between, it is still open, and the next run continues.
    fs.chmodSync(path, mode);
    for (const name of inside ?? Array.from(fs.readDirSync(path), ({ name }) => name)) {
      tighten({ fs }, join(path, name), false);
    }
    fs.chmodSync(path, wanted);
  } catch (error) {
    // Only the owner can change the mode, and another run may have removed its entry.
    if (!(error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotFound)) {
      throw error;
    }
  }
}
