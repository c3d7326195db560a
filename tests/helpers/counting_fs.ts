import type { FileSystem } from "../../lib/core/files.ts";
import type { SpawnProcess } from "../../lib/core/subprocess.ts";
import { isolatedSpawn } from "./test_context.ts";

/** Called before each step that changes the disk; may throw a fault or end the process. */
export type OnStep = (step: string) => void;

/** The real file system, which reports every change before it makes it. */
export function countingFs(onStep: OnStep): FileSystem {
  const reporting =
    <Args extends unknown[], Result>(name: string, call: (...args: Args) => Result) =>
    (...args: Args): Result => {
      onStep(`${name} ${args.filter((arg) => typeof arg === "string").join(" ")}`);
      return call(...args);
    };
  return {
    chmodSync: reporting("chmod", Deno.chmodSync),
    cwd: Deno.cwd,
    linkSync: reporting("link", Deno.linkSync),
    lstat: Deno.lstat,
    lstatSync: Deno.lstatSync,
    makeTempDirSync: reporting("mkdtemp", Deno.makeTempDirSync),
    mkdirSync: reporting("mkdir", Deno.mkdirSync),
    open: async (path, options) => {
      if (writes(options)) onStep(`open ${path}`);
      return reportingFile(await Deno.open(path, options), String(path), onStep);
    },
    openSync: (path, options) => {
      if (writes(options)) onStep(`open ${path}`);
      return reportingFile(Deno.openSync(path, options), String(path), onStep);
    },
    readDirSync: Deno.readDirSync,
    readFileSync: Deno.readFileSync,
    readLinkSync: Deno.readLinkSync,
    readTextFileSync: Deno.readTextFileSync,
    realPathSync: Deno.realPathSync,
    remove: reporting("remove", Deno.remove),
    removeSync: reporting("remove", Deno.removeSync),
    renameSync: reporting("rename", Deno.renameSync),
    statSync: Deno.statSync,
    symlinkSync: reporting("symlink", Deno.symlinkSync),
    utimeSync: reporting("utime", Deno.utimeSync),
  };
}

/** Starts real programs, and reports each before it starts. */
export function countingSpawn(onStep: OnStep): SpawnProcess {
  return (request) => {
    onStep(`run ${request.command} ${request.args.slice(-4).join(" ")}`);
    return isolatedSpawn(request);
  };
}

function writes(options: Deno.OpenOptions | undefined): boolean {
  return options?.write === true || options?.append === true || options?.create === true;
}

const WRITING = new Set(["write", "writeSync", "sync", "syncSync", "truncateSync"]);

function reportingFile(file: Deno.FsFile, path: string, onStep: OnStep): Deno.FsFile {
  return new Proxy(file, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (typeof name === "string" && WRITING.has(name)) onStep(`${name} ${path}`);
        return Reflect.apply(value, target, args);
      };
    },
  });
}
