import assert from "node:assert/strict";
import type { FileSystem } from "../../lib/core/files.ts";
import { noise } from "./temp_dir.ts";

/** Damages by disks, people and containers: each replaces the file at `path`. */
export const DAMAGES: Readonly<Record<string, (path: string) => void>> = {
  "emptied": (path) => Deno.writeFileSync(path, new Uint8Array()),
  "random bytes": (path) => Deno.writeFileSync(path, noise(300, 7)),
  "zeros": (path) => Deno.writeFileSync(path, new Uint8Array(300)),
  "JSON of another type": (path) => Deno.writeTextFileSync(path, '[{"schema": "x", "__proto__": 1}, 7]'),
  "deeply nested": (path) => Deno.writeTextFileSync(path, "[".repeat(200_000) + "]".repeat(200_000)),
  "huge": (path) => {
    using file = Deno.openSync(path, { write: true, create: true, truncate: true });
    file.truncateSync(700 * 1024 * 1024);
  },
  "a folder": (path) => Deno.mkdirSync(path),
  "a folder with files": (path) => {
    Deno.mkdirSync(`${path}/x`, { recursive: true });
    Deno.writeTextFileSync(`${path}/x/y`, "kept");
  },
  "a named pipe": (path) => {
    const { success } = new Deno.Command("mkfifo", { args: [path] }).outputSync();
    assert.ok(success);
  },
  "a dangling link": (path) => Deno.symlinkSync("nowhere/at/all", path),
  "a link to itself": (path) => Deno.symlinkSync(path, path),
};

/** Replaces what is at a path by one of the damages. */
export function damage(path: string, kind: string): void {
  const apply = DAMAGES[kind];
  assert.ok(apply);
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  apply(path);
}

/** A file system on which opening a named pipe fails the test at once, instead of waiting forever. */
export function withoutPipes(fs: FileSystem): FileSystem {
  const refuse = (path: string | URL, options: Deno.OpenOptions = { read: true }) => {
    let isFifo: boolean | null = false;
    try {
      isFifo = fs.statSync(path).isFifo;
    } catch {
      // The call itself reports the error.
    }
    assert.ok(isFifo !== true, `a named pipe was opened: ${path} ${JSON.stringify(options)}`);
  };
  return {
    ...fs,
    open: (path, options) => {
      refuse(path, options);
      return fs.open(path, options);
    },
    openSync: (path, options) => {
      refuse(path, options);
      return fs.openSync(path, options);
    },
    readFileSync: (path) => {
      refuse(path);
      return fs.readFileSync(path);
    },
    readTextFileSync: (path) => {
      refuse(path);
      return fs.readTextFileSync(path);
    },
  };
}
