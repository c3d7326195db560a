import { resolve } from "node:path";
import type { FileSystem } from "../../lib/core/files.ts";

/** The real file system, whose relative paths start at a folder of the test's rather than at the process's. */
export function rootedFs(cwd: string): FileSystem {
  const at = <Path extends string | URL>(path: Path) => typeof path === "string" ? resolve(cwd, path) : path;
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
