import { join } from "node:path";
import { ifFound } from "../../lib/core/files.ts";
import { tempDir } from "./temp_dir.ts";

/** Big enough for a clone, a store and their journal; sparse, so that a copy costs what is written. */
const IMAGE_BYTES = 64 * 1024 * 1024;

/**
 * An ext4 file system on an image, whose bytes are what is on the "disk" after a power cut: what was written and not
 * synced is in the kernel's memory alone.
 */
export interface CutDisk extends Disposable {
  readonly path: string;
  /** Keeps what is on the disk at this moment. */
  cut(): void;
  /** How many moments were kept. */
  readonly count: number;
  /** Puts the disk back to a moment, as the system mounts it after a power cut. */
  restore(index: number): void;
}

function run(command: string, ...args: string[]): string {
  const result = new Deno.Command(command, { args, stdin: "null" }).outputSync();
  if (!result.success) {
    throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(result.stderr)}`);
  }
  return new TextDecoder().decode(result.stdout).trim();
}

/** Why this machine cannot have such a disk; `undefined` where it can. */
export function whyNoCutDisk(): string | undefined {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "mounting an image takes root on Linux";
  using dir = tempDir();
  try {
    using _disk = cutDisk(dir.path);
    return undefined;
  } catch (error) {
    return `an image cannot be mounted: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** In memory a disk is mounted and copied at once, whatever else the machine's disk is busy with. */
function imageFolder(): string {
  const memory = "/dev/shm";
  const isThere = ifFound(() => Deno.statSync(memory))?.isDirectory === true;
  return Deno.makeTempDirSync({ prefix: "model-sync-disk-", ...(isThere ? { dir: memory } : {}) });
}

/** A disk that is mounted in `folder`. Needs root. */
export function cutDisk(folder: string): CutDisk {
  const images = imageFolder();
  try {
    return mountedDisk(images, join(folder, "disk"));
  } catch (error) {
    Deno.removeSync(images, { recursive: true });
    throw error;
  }
}

function mountedDisk(folder: string, path: string): CutDisk {
  const image = join(folder, "disk.img");
  Deno.mkdirSync(path);
  let isMounted = false;
  const mount = (image: string) => {
    // Nothing is written back by time while a test runs.
    run("mount", "-o", "loop,commit=600,noatime", image, path);
    isMounted = true;
  };
  const unmount = () => {
    // Lazily: a program that another test of this process starts holds copies of open files until its `exec`.
    if (isMounted) run("umount", "--lazy", path);
    isMounted = false;
  };
  const images: string[] = [];
  {
    using file = Deno.openSync(image, { write: true, create: true });
    file.truncateSync(IMAGE_BYTES);
  }
  run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image);
  mount(image);
  return {
    path,
    cut: () => {
      const copy = join(folder, `cut-${images.length}.img`);
      run("cp", "--sparse=always", image, copy);
      images.push(copy);
    },
    get count() {
      return images.length;
    },
    restore: (index) => {
      unmount();
      mount(images[index] ?? "");
    },
    [Symbol.dispose]: () => {
      unmount();
      Deno.removeSync(folder, { recursive: true });
    },
  };
}
