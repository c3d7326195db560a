import type { PermissionName, World } from "../../cli/_world.ts";
import type { FileSystem } from "../../lib/core/files.ts";

type Reach = Pick<World, "fs" | "spawn" | "http">;

/** A world from which a command cannot do what it gave up, as the runtime sees to it for a process. */
export function permitted({ fs, spawn, http }: Reach, givenUp: ReadonlySet<PermissionName>): Reach {
  const check = (name: PermissionName, what: string) => {
    if (givenUp.has(name)) throw new Deno.errors.NotCapable(`Requires ${name} access to "${what}"`);
  };
  return {
    fs: guardWrites(fs, (path) => check("write", String(path))),
    spawn(request) {
      check("run", request.command);
      return spawn(request);
    },
    async http(...request) {
      check("net", String(request[0]));
      return await http(...request);
    },
  };
}

/** @param check called with each path that is about to be changed */
function guardWrites(fs: FileSystem, check: (path: string | URL) => void): FileSystem {
  const guarded = <Path extends string | URL, Rest extends unknown[], Result>(
    operation: (path: Path, ...rest: Rest) => Result,
  ) =>
  (path: Path, ...rest: Rest): Result => {
    check(path);
    return operation(path, ...rest);
  };
  const checkOpen = (path: string | URL, { write, append, create }: Deno.OpenOptions = {}) => {
    if (write || append || create) check(path);
  };
  return {
    ...fs,
    chmodSync: guarded(fs.chmodSync),
    linkSync: guarded(fs.linkSync),
    mkdirSync: guarded(fs.mkdirSync),
    open(path, options) {
      checkOpen(path, options);
      return fs.open(path, options);
    },
    openSync(path, options) {
      checkOpen(path, options);
      return fs.openSync(path, options);
    },
    remove: guarded(fs.remove),
    removeSync: guarded(fs.removeSync),
    renameSync: guarded(fs.renameSync),
    symlinkSync: (target, path, options) => {
      check(path);
      fs.symlinkSync(target, path, options);
    },
    utimeSync: guarded(fs.utimeSync),
  };
}
