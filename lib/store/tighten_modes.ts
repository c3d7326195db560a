import { basename, join } from "node:path";
import { findEntry, PRIVATE_MODE, withoutOthersWriting } from "../core/files.ts";
import { STATE_DIR_NAME, STATE_ENTRIES, type StateFolder } from "./state_entries.ts";

/** What the program makes in a store. Its folder may be one that holds other things. */
const NAMES = new Set([...Object.keys(STATE_ENTRIES), "registry"]);

/** They may hold what an API answered about an account, and addresses that start paid work. */
const PRIVATE_NAMES = new Set(["answers.json", "runpod_jobs.json"]);

const EVERYBODY_WRITES = 0o002;

/**
 * Takes from other users what lets them write the entries of a store: earlier versions left that to the umask. A group
 * that may write was often allowed to on purpose, and keeps it.
 */
export function tightenModes({ fs, root }: Pick<StateFolder, "fs" | "root">): void {
  if (Deno.build.os === "windows") return;
  const names = Array.from(fs.readDirSync(root), ({ name }) => name).filter((name) => NAMES.has(name));
  for (const name of names) tighten({ fs }, join(root, name), PRIVATE_NAMES.has(name));
  if (basename(root) === STATE_DIR_NAME) tighten({ fs }, root, false, []);
}

/** @param inside the names below a folder, where they are known */
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
    // Some file systems have one mode for everything; others are not gone through in vain.
    if (!found.isDirectory || ((fs.lstatSync(path).mode ?? 0) & 0o7777) !== wanted) return;
    // What was made with the same umask is as open as the folder that it is in. A run that is killed in between leaves
    // the folder open, and with it the rest to the next.
    fs.chmodSync(path, mode);
    for (const name of inside ?? Array.from(fs.readDirSync(path), ({ name }) => name)) {
      tighten({ fs }, join(path, name), false);
    }
    fs.chmodSync(path, wanted);
  } catch (error) {
    // Another user's is theirs to change; another run may have removed its own.
    if (!(error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotFound)) {
      throw error;
    }
  }
}
