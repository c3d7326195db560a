import { join } from "node:path";
import { z } from "zod";
import type { Clock } from "../core/clock.ts";
import { findText, removeIfThere, replaceFile } from "../core/files.ts";
import type { Sha256 } from "../core/hash.ts";
import type { Digest } from "../release/manifest.ts";
import { releaseDirName } from "./releases.ts";
import type { Store } from "./store.ts";

/** Columns, not rows: 20,000 files are read in a few milliseconds. */
const CacheFile = z.object({
  schema: z.literal(1),
  paths: z.array(z.string()),
  sizes: z.array(z.number()),
  mtimes: z.array(z.number()),
  ctimes: z.array(z.number()),
  inodes: z.array(z.number()),
  sha256s: z.array(z.string()),
});

interface Entry {
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly inode: number;
  readonly sha256: Sha256;
}

/**
 * How long a file must have been left alone before its digest is remembered: within the clock's resolution a second
 * write would show the same time. Kernels stamp at 4 to 10 ms; file systems without fractions at 1 or 2 s.
 */
const SETTLED_MS = 50;
const SETTLED_COARSE_MS = 2_500;

/**
 * Remembers the SHA-256 of files by path, size, mtime, ctime and inode, so that unchanged files are not read again.
 * One cache serves one folder. It is only ever an accelerator: deleting it costs time, nothing else.
 */
export class StatCache {
  readonly #store: Store;
  readonly #path: string;
  readonly #comparesCtime: boolean;
  readonly #entries: Map<string, Entry>;
  #changed = false;

  private constructor(store: Store, name: string, options: { readonly comparesCtime: boolean }) {
    this.#store = store;
    this.#path = cachePath(store, name);
    this.#comparesCtime = options.comparesCtime;
    this.#entries = parse(findText(store.fs, this.#path) ?? "");
  }

  /** The cache of the model folder that is published from: every file in it was also scanned for secrets. */
  static ofPublished(store: Store): StatCache {
    return new StatCache(store, "published", { comparesCtime: true });
  }

  /** The cache of the model folder that releases are mirrored into. */
  static ofModels(store: Store): StatCache {
    return new StatCache(store, "models", { comparesCtime: true });
  }

  /** The cache of a release. Hard-linking its files into another release changes their ctime, which says nothing. */
  static ofRelease(store: Store, digest: Digest): StatCache {
    return new StatCache(store, releaseDirName(digest), { comparesCtime: false });
  }

  /** Removes the cache of a release that is gone. */
  static removeOfRelease(store: Store, digest: Digest): void {
    removeIfThere(store.fs, cachePath(store, releaseDirName(digest)));
  }

  /** The digest of a file that is as it was when it was read; `undefined` when it has to be read again. */
  find(path: string, info: Deno.FileInfo): Sha256 | undefined {
    const entry = this.#entries.get(path);
    if (entry === undefined) return undefined;
    const same = entry.size === info.size && entry.mtimeMs === info.mtime?.getTime() &&
      entry.inode === (info.ino ?? 0) &&
      (!this.#comparesCtime || entry.ctimeMs === (info.ctime?.getTime() ?? 0));
    return same ? entry.sha256 : undefined;
  }

  /** Remembers what reading a file gave, unless it was written too recently to tell a later write by its time. */
  remember(path: string, info: Deno.FileInfo, sha256: Sha256, clock: Clock): void {
    const mtimeMs = info.mtime?.getTime();
    if (mtimeMs === undefined) return;
    const settledMs = mtimeMs % 1000 === 0 ? SETTLED_COARSE_MS : SETTLED_MS;
    if (Math.abs(clock.now().getTime() - mtimeMs) < settledMs) this.forget(path);
    else this.#set(path, info, mtimeMs, sha256);
  }

  /** Remembers a file that this program wrote and made read-only itself. */
  rememberOwn(path: string, info: Deno.FileInfo, sha256: Sha256): void {
    const mtimeMs = info.mtime?.getTime();
    if (mtimeMs !== undefined) this.#set(path, info, mtimeMs, sha256);
  }

  forget(path: string): void {
    if (this.#entries.delete(path)) this.#changed = true;
  }

  /** Forgets every path that `keep` does not hold. */
  retain(keep: ReadonlySet<string>): void {
    for (const path of this.#entries.keys()) if (!keep.has(path)) this.forget(path);
  }

  /** Writes the cache if it changed. */
  save(): void {
    if (!this.#changed) return;
    const entries = [...this.#entries];
    const file: z.infer<typeof CacheFile> = {
      schema: 1,
      paths: entries.map(([path]) => path),
      sizes: entries.map(([, entry]) => entry.size),
      mtimes: entries.map(([, entry]) => entry.mtimeMs),
      ctimes: entries.map(([, entry]) => entry.ctimeMs),
      inodes: entries.map(([, entry]) => entry.inode),
      sha256s: entries.map(([, entry]) => entry.sha256),
    };
    replaceFile(this.#store.fs, this.#path, JSON.stringify(file));
    this.#changed = false;
  }

  #set(path: string, info: Deno.FileInfo, mtimeMs: number, sha256: Sha256): void {
    const entry = {
      size: info.size,
      mtimeMs,
      ctimeMs: info.ctime?.getTime() ?? 0,
      inode: info.ino ?? 0,
      sha256,
    };
    this.#entries.set(path, entry);
    this.#changed = true;
  }
}

function cachePath(store: Store, name: string): string {
  return join(store.statCache, `${name}.json`);
}

function parse(text: string): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  const file = parseFile(text);
  if (file === undefined) return entries;
  for (const [index, path] of file.paths.entries()) {
    const size = file.sizes[index];
    const mtimeMs = file.mtimes[index];
    const ctimeMs = file.ctimes[index];
    const inode = file.inodes[index];
    const sha256 = file.sha256s[index];
    if (size === undefined || mtimeMs === undefined || ctimeMs === undefined) continue;
    if (inode === undefined || sha256 === undefined) continue;
    entries.set(path, { size, mtimeMs, ctimeMs, inode, sha256 });
  }
  return entries;
}

function parseFile(text: string): z.infer<typeof CacheFile> | undefined {
  if (text === "") return undefined;
  try {
    return CacheFile.parse(JSON.parse(text));
  } catch {
    // A cache that cannot be read is an empty cache.
    return undefined;
  }
}
