import { join } from "node:path";
import { ifFound } from "../../lib/core/files.ts";
import { tempDir } from "../helpers/temp_dir.ts";

/** Large enough for a clone, a store and their journal; sparse, so that a copy costs only the written bytes. */
const IMAGE_BYTES = 64 * 1024 * 1024;

/**
 * An ext4 file system on an image. The bytes of the image are those on the "disk" after a power cut: writes that were not
 * synced are only in the kernel's memory.
 */
export interface CutDisk extends Disposable {
  readonly path: string;
  /** Saves the current contents of the disk. */
  cut(): void;
  /** The number of saved moments. */
  readonly count: number;
  /** Restores the disk to a moment and mounts it like after a power cut. */
  restore(index: number): void;
}

function run(command: string, ...args: string[]): string {
  const result = new Deno.Command(command, { args, stdin: "null" }).outputSync();
  if (!result.success) {
    throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(result.stderr)}`);
  }
  return new TextDecoder().decode(result.stdout).trim();
}

/** The reason why this machine cannot mount such a disk; `undefined` if it can. */
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

/** In memory, a disk is mounted and copied at once, even if the machine's own disk is busy. */
function imageFolder(): string {
  const memory = "/dev/shm";
  const isThere = ifFound(() => Deno.statSync(memory))?.isDirectory === true;
  return Deno.makeTempDirSync({ prefix: "model-sync-disk-", ...(isThere ? { dir: memory } : {}) });
}

/** Mounts a disk in `folder`. Needs root. */
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
    // The kernel does not write back on a timer while a test runs.
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
