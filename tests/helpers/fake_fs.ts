import type { FileSystem } from "../../lib/core/files.ts";
import { resolve } from "node:path";

/** A file system on which every change fails, by default like on one that is mounted read-only. */
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

/**
 * The real file system, with relative paths starting at a test's folder instead of the process's.
 *
 * @param redirect returns where an absolute path leads, for tests that write outside of their folder
 */
export function rootedFs(cwd: string, redirect = (path: string) => path): FileSystem {
  const at = <Path extends string | URL>(path: Path) =>
    typeof path === "string" ? redirect(resolve(cwd, path)) : path;
  return {
    chmodSync: (path, mode) => Deno.chmodSync(at(path), mode),
    cwd: () => cwd,
    linkSync: (from, to) => Deno.linkSync(at(from), at(to)),
    lstat: (path) => Deno.lstat(at(path)),
    lstatSync: (path) => Deno.lstatSync(at(path)),
    makeTempDirSync: (options) =>
      Deno.makeTempDirSync(
        options?.dir === undefined ? options : { ...options, dir: resolve(cwd, options.dir) },
      ),
    mkdirSync: (path, options) => Deno.mkdirSync(at(path), options),
    open: (path, options) => Deno.open(at(path), options),
    openSync: (path, options) => Deno.openSync(at(path), options),
    readDirSync: (path) => Deno.readDirSync(at(path)),
    readFileSync: (path) => Deno.readFileSync(at(path)),
    readLinkSync: (path) => Deno.readLinkSync(at(path)),
    readTextFileSync: (path) => Deno.readTextFileSync(at(path)),
    realPathSync: (path) => Deno.realPathSync(at(path)),
    remove: (path, options) => Deno.remove(at(path), options),
    removeSync: (path, options) => Deno.removeSync(at(path), options),
    renameSync: (from, to) => Deno.renameSync(at(from), at(to)),
    statSync: (path) => Deno.statSync(at(path)),
    // A link's target is relative to the link.
    symlinkSync: (target, path, options) => Deno.symlinkSync(target, at(path), options),
    utimeSync: (path, atime, mtime) => Deno.utimeSync(at(path), atime, mtime),
  };
}

/** Returns an error of the operating system like those of Deno. */
export function osError(
  code: string,
  make: (message: string) => Error = (message) => new Error(message),
): Error {
  return Object.assign(make(`simulated ${code}`), { code });
}
