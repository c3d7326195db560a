import { cpSync } from "node:fs";

/** A folder that is removed at the end of its block, read-only files and all. */
export interface TempDir extends Disposable {
  readonly path: string;
}

export function tempDir(): TempDir {
  // Resolved, because macOS hands out a link, and what the store prints is resolved too.
  const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "model-sync-test-" }));
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** Keeps a copy of a folder, and returns the function that puts the folder back as it was. */
export function checkpoint(folder: string, copy: string): () => void {
  const options = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true };
  cpSync(folder, copy, options);
  return () => {
    Deno.removeSync(folder, { recursive: true });
    cpSync(copy, folder, options);
  };
}

/** Writes files, given by path and content, below a folder. */
export function writeFiles(root: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    const target = `${root}/${path}`;
    Deno.mkdirSync(target.slice(0, target.lastIndexOf("/")), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(target, content);
    else Deno.writeFileSync(target, content);
  }
}

/**
 * Dates a folder and all that is in it back by a year, so that whatever a test does next to them shows: the kernel's
 * clock may not tick in between.
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

/** Every file below a folder with its text, links followed; what a consumer sees. */
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

/** Bytes that neither compress nor repeat, the same for the same seed. */
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

/** Every path below a folder with its size, times and link target. */
export function listing(root: string): string[] {
  const lines: string[] = [];
  const visit = (folder: string) => {
    for (const entry of Deno.readDirSync(folder)) {
      const path = `${folder}/${entry.name}`;
      const info = Deno.lstatSync(path);
      // Looking at a worktree lets git note its times in the index, which says nothing about the worktree.
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
