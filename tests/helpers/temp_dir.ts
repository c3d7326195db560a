import { statfsSync } from "node:fs";

/** A folder that is removed at the end of its block, including read-only files. */
export interface TempDir extends Disposable {
  readonly path: string;
}

/** Creates a folder for a test. */
export function tempDir(): TempDir {
  return folderIn(undefined);
}

/**
 * Creates a folder in memory, if the machine has space there: for tests that sync thousands of small files, which takes
 * minutes on a disk. Only for the test's process and programs other than Deno, which denies access to `/dev` without all
 * permissions.
 */
export function memoryDir(): TempDir {
  return folderIn(memoryFolder());
}

/** Creates a folder on another file system than {@link memoryDir}; `undefined` if there is none. */
export function foreignDir(): TempDir | undefined {
  using usual = memoryDir();
  for (const parent of [undefined, MEMORY_FOLDER]) {
    try {
      const folder = folderIn(parent);
      if (Deno.statSync(folder.path).dev !== Deno.statSync(usual.path).dev) return folder;
      folder[Symbol.dispose]();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied)) {
        throw error;
      }
    }
  }
  return undefined;
}

/** @param parent replaces the system's folder for temporary files */
function folderIn(parent: string | undefined): TempDir {
  const made = Deno.makeTempDirSync({
    prefix: "model-sync-test-",
    ...(parent === undefined ? {} : { dir: parent }),
  });
  // Resolved: macOS returns a link, and the store prints resolved paths.
  const path = Deno.realPathSync(made);
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** Linux's file system in memory. */
const MEMORY_FOLDER = "/dev/shm";

/** Many times the space that concurrent tests need; a container may have no more than 64 MiB. */
const MEMORY_BYTES_MIN = 2 * 1024 ** 3;

function memoryFolder(): string | undefined {
  try {
    const { bavail, bsize } = statfsSync(MEMORY_FOLDER);
    return bavail * bsize < MEMORY_BYTES_MIN ? undefined : MEMORY_FOLDER;
  } catch {
    return undefined;
  }
}

/** Copies the contents of a folder with modes, times, links and hard links. `cp` would need a fork of this process. */
export function copyTree(from: string, to: string): void {
  const copies = new Map<number | null, string>();
  const visit = (source: string, target: string) => {
    for (const { name, isDirectory, isSymlink } of Deno.readDirSync(source)) {
      const [path, copy] = [`${source}/${name}`, `${target}/${name}`];
      if (isSymlink) Deno.symlinkSync(Deno.readLinkSync(path), copy);
      else if (isDirectory) {
        Deno.mkdirSync(copy);
        visit(path, copy);
      } else copyFile(path, copy, copies);
    }
    copyTimes(source, target);
  };
  visit(from, to);
}

function copyFile(path: string, copy: string, copies: Map<number | null, string>): void {
  const { ino, nlink } = Deno.lstatSync(path);
  const linked = nlink === 1 ? undefined : copies.get(ino);
  if (linked !== undefined) return Deno.linkSync(linked, copy);
  Deno.copyFileSync(path, copy);
  copyTimes(path, copy);
  copies.set(ino, copy);
}

function copyTimes(from: string, to: string): void {
  const { atime, mtime, mode } = Deno.lstatSync(from);
  if (atime !== null && mtime !== null) Deno.utimeSync(to, atime, mtime);
  if (mode !== null) Deno.chmodSync(to, mode & 0o7777);
}

/** Copies a folder, and returns a function that restores it. */
export function checkpoint(folder: string, copy: string): () => void {
  Deno.mkdirSync(copy, { recursive: true });
  copyTree(folder, copy);
  return () => {
    Deno.removeSync(folder, { recursive: true });
    Deno.mkdirSync(folder);
    copyTree(copy, folder);
  };
}

/** Writes files, by path and content, below a folder. */
export function writeFiles(root: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    const target = `${root}/${path}`;
    Deno.mkdirSync(target.slice(0, target.lastIndexOf("/")), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(target, content);
    else Deno.writeFileSync(target, content);
  }
}

/**
 * Dates a folder and its contents back by a year, so that later changes show in their times: the kernel's clock may not tick
 * in between.
 */
export function ageFiles(root: string): void {
  for (const entry of Deno.readDirSync(root)) {
    const path = `${root}/${entry.name}`;
    if (entry.isDirectory) ageFiles(path);
    else Deno.utimeSync(path, LAST_YEAR, LAST_YEAR);
  }
  Deno.utimeSync(root, LAST_YEAR, LAST_YEAR);
}

const LAST_YEAR = new Date("2025-01-01T00:00:00Z");

/** Returns every file below a folder with its text, following links like a consumer. */
export function readFiles(root: string): Record<string, string> {
  const files: Record<string, string> = {};
  const visit = (folder: string, prefix: string) => {
    for (const entry of Deno.readDirSync(folder)) {
      const path = `${folder}/${entry.name}`;
      if (Deno.statSync(path).isDirectory) visit(path, `${prefix}${entry.name}/`);
      else files[prefix + entry.name] = Deno.readTextFileSync(path);
    }
  };
  visit(root, "");
  return Object.fromEntries(Object.entries(files).sort(([a], [b]) => a < b ? -1 : 1));
}

/** Returns bytes that neither compress nor repeat, the same for the same seed. */
export function noise(size: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let index = 0; index < size; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state & 0xff;
  }
  return bytes;
}

/** Returns every path below a folder with its size, times and link target. */
export function listing(root: string): string[] {
  const lines: string[] = [];
  const visit = (folder: string) => {
    for (const entry of Deno.readDirSync(folder)) {
      const path = `${folder}/${entry.name}`;
      const info = Deno.lstatSync(path);
      // Reading a worktree makes git update times in the index, which is not a change of the worktree.
      const times = /\.git(\/index)?$/.test(path) || info.isDirectory
        ? ""
        : `${info.size} ${info.mtime?.getTime()}`;
      lines.push(`${path} ${times} ${info.isSymlink ? Deno.readLinkSync(path) : ""}`);
      if (info.isDirectory) visit(path);
    }
  };
  visit(root);
  return lines.sort();
}
