import type { FileSystem } from "../../lib/core/files.ts";
import { osError } from "./two_releases.ts";

/** A file system on which every change fails, as on one that is mounted read-only; or with another error. */
export function readOnlyFs(fs: FileSystem, code = "EROFS"): FileSystem {
  const refuse = (): never => {
    throw osError(code);
  };
  const writes = (options: Deno.OpenOptions = {}) => options.write === true || options.append === true;
  return {
    ...fs,
    chmodSync: refuse,
    linkSync: refuse,
    makeTempDirSync: refuse,
    mkdirSync: refuse,
    remove: () => Promise.reject(osError(code)),
    removeSync: refuse,
    renameSync: refuse,
    symlinkSync: refuse,
    utimeSync: refuse,
    open: (path, options) => writes(options) ? Promise.reject(osError(code)) : fs.open(path, options),
    openSync: (path, options) => writes(options) ? refuse() : fs.openSync(path, options),
  };
}
