import { statfsSync } from "node:fs";
import { writeFiles } from "./temp_dir.ts";

/** A file system of a few MiB, mounted at a folder until it is disposed of. */
export interface SmallDisk extends Disposable {
  readonly path: string;
  /** Remounts it with other options: `ro`. */
  remount(options: string): void;
  /** Fills the disk. @returns a function that frees the space again */
  fill(): () => void;
}

function run(command: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    // The program is not installed.
    return false;
  }
}

/** Mounts a tmpfs at a new folder. */
export function tmpfsAt(path: string, options: string): SmallDisk {
  Deno.mkdirSync(path, { recursive: true });
  if (!run("mount", "-t", "tmpfs", "-o", options, "model-sync-test", path)) {
    throw new Error(`cannot mount ${path}`);
  }
  return diskAt(path);
}

/** Mounts an ext4 of some MiB at a new folder, from an image beside it. */
export function ext4At(path: string, mebibytes: number, ...mkfsOptions: string[]): SmallDisk {
  const image = `${path}.img`;
  Deno.writeFileSync(image, new Uint8Array());
  Deno.truncateSync(image, mebibytes * 1024 * 1024);
  Deno.mkdirSync(path, { recursive: true });
  const isMounted = run("mkfs.ext4", "-q", "-F", "-m", "0", ...mkfsOptions, image) &&
    run("mount", "-o", "loop", image, path);
  if (!isMounted) throw new Error(`cannot mount ${image}`);
  return diskAt(path);
}

/**
 * Mounts an overlay at a new folder, like the root of a container: a layer of an image with these files, and an empty
 * layer above it that is written to.
 */
export function overlayAt(path: string, image: Readonly<Record<string, string>>): Disposable {
  const layers = tmpfsAt(`${path}-layers`, "size=16m");
  const [lower, upper, work] = ["lower", "upper", "work"].map((name) => `${layers.path}/${name}`);
  for (const folder of [lower, upper, work, path]) Deno.mkdirSync(String(folder), { recursive: true });
  writeFiles(String(lower), image);
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  if (!run("mount", "-t", "overlay", "-o", options, "model-sync-test", path)) {
    layers[Symbol.dispose]();
    throw new Error(`cannot mount an overlay at ${path}`);
  }
  const overlay = diskAt(path);
  return {
    [Symbol.dispose]: () => {
      overlay[Symbol.dispose]();
      layers[Symbol.dispose]();
    },
  };
}

/** Mounts a folder at another one, like a volume of a container: both stay on the file system that they are on. */
export function bindAt(path: string, source: string): Disposable {
  for (const folder of [path, source]) Deno.mkdirSync(folder, { recursive: true });
  if (!run("mount", "--bind", source, path)) throw new Error(`cannot mount ${source} at ${path}`);
  return diskAt(path);
}

/** A file system is busy for milliseconds while a program that another test starts holds copies of open files. */
const REMOUNT_TRIES = 100;

function diskAt(path: string): SmallDisk {
  return {
    path,
    remount: (options) => {
      let triesLeft = REMOUNT_TRIES;
      while (!run("mount", "-o", `remount,${options}`, path)) {
        if (--triesLeft === 0) throw new Error(`cannot remount ${path}`);
      }
    },
    fill: () => fill(path),
    [Symbol.dispose]: () => {
      // Lazily: a program that another test of this process starts holds copies of open files until its `exec`.
      if (!run("umount", "--lazy", path)) throw new Error(`cannot unmount ${path}`);
    },
  };
}

/** Writes ever smaller pieces until no byte fits, and files until no further one can be created. */
function fill(path: string): () => void {
  const filler = `${path}/filler`;
  using file = Deno.openSync(filler, { write: true, create: true });
  for (const size of [1024 * 1024, 64 * 1024, 4096, 512, 1]) {
    while (fits(() => file.writeSync(new Uint8Array(size)) === size)) continue;
  }
  fits(() => file.syncSync());
  return () => Deno.removeSync(filler);
}

function fits(write: () => unknown): boolean {
  try {
    return write() !== false;
  } catch {
    return false;
  }
}

/** Returns the free bytes like the program does. */
export function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = statfsSync(path);
  return Promise.resolve(bavail * bsize);
}

const PROBES = {
  tmpfs: (path: string): Disposable => tmpfsAt(path, "size=1m"),
  ext4: (path: string): Disposable => ext4At(path, 4),
  overlay: (path: string): Disposable => overlayAt(path, {}),
};

/** The reason why the machine cannot mount file systems for tests; `undefined` if it can. */
export function mountObstacle(kind: keyof typeof PROBES): string | undefined {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "mounting needs root on Linux";
  const probe = Deno.makeTempDirSync();
  try {
    PROBES[kind](`${probe}/disk`)[Symbol.dispose]();
    return undefined;
  } catch {
    return `this machine does not mount ${kind}`;
  } finally {
    Deno.removeSync(probe, { recursive: true });
  }
}
