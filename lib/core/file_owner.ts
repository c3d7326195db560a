import type { FileSystem } from "./files.ts";
import { oneLine, shellWord } from "./quote.ts";

/** Only the owner may write. Others may read files that are not private. The umask can only remove permissions. */
const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;

/**
 * Returns a file system whose new files and folders only their owner can write, whatever the umask. Some containers and
 * service managers set the umask to 000, which would let every user replace the models.
 */
export function ownerWrites(fs: FileSystem): FileSystem {
  return {
    chmodSync: (path, mode) => fs.chmodSync(path, mode),
    cwd: () => fs.cwd(),
    linkSync: (from, to) => fs.linkSync(from, to),
    lstat: (path) => fs.lstat(path),
    lstatSync: (path) => fs.lstatSync(path),
    makeTempDirSync: (options) => fs.makeTempDirSync(options),
    mkdirSync: (path, options) => fs.mkdirSync(path, { mode: FOLDER_MODE, ...options }),
    open: (path, options) => fs.open(path, withMode(options)),
    openSync: (path, options) => fs.openSync(path, withMode(options)),
    readDirSync: (path) => fs.readDirSync(path),
    readFileSync: (path) => fs.readFileSync(path),
    readLinkSync: (path) => fs.readLinkSync(path),
    readTextFileSync: (path) => fs.readTextFileSync(path),
    realPathSync: (path) => fs.realPathSync(path),
    remove: (path, options) => fs.remove(path, options),
    removeSync: (path, options) => fs.removeSync(path, options),
    renameSync: (from, to) => fs.renameSync(from, to),
    statSync: (path) => fs.statSync(path),
    symlinkSync: (target, path, options) => fs.symlinkSync(target, path, options),
    utimeSync: (path, atime, mtime) => fs.utimeSync(path, atime, mtime),
  };
}

/** The mode matters only for a file that is created. */
function withMode(options: Deno.OpenOptions | undefined): Deno.OpenOptions | undefined {
  if (options?.create !== true && options?.createNew !== true) return options;
  return { mode: FILE_MODE, ...options };
}

/**
 * Returns the hint for files that another user owns, most often root after a run under `sudo`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ownerHint } from "./file_owner.ts";
 * const hint = "run as the user that owns it; after a run under sudo: sudo chown -R \"$(id -un)\" ";
 * assert.equal(ownerHint("/srv/bot/.model-sync"), `${hint}/srv/bot/.model-sync`);
 * assert.equal(ownerHint("/srv/my bot"), `${hint}'/srv/my bot'`);
 * ```
 */
export function ownerHint(path: string): string {
  return `run as the user that owns it; after a run under sudo: sudo chown -R "$(id -un)" ${
    shellWord(oneLine(path))
  }`;
}
