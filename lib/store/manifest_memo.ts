import type { Manifest } from "../release/manifest.ts";

/** A manifest, and the text that it was read from, which the signature covers. */
export interface StoredRelease {
  readonly manifest: Manifest;
  readonly text: string;
}

/** The active release and the pulled one. With 50,000 files, each takes 20 MB. */
const RELEASES_MAX = 2;

interface Entry {
  readonly release: StoredRelease;
  readonly identity: string;
}

/**
 * The manifests of a store that this process parsed last, so that each is parsed once in a run: one of 50,000 files takes
 * 50 ms. An entry counts as long as its file is the same.
 */
export class ManifestMemo {
  readonly #entries = new Map<string, Entry>();

  /** Returns the release of a manifest's file, if that file was parsed. */
  find(path: string, info: Deno.FileInfo): StoredRelease | undefined {
    const entry = this.#entries.get(path);
    return entry?.identity === identityOf(info) ? entry.release : undefined;
  }

  keep(path: string, info: Deno.FileInfo, release: StoredRelease): void {
    this.#entries.delete(path);
    this.#entries.set(path, { release, identity: identityOf(info) });
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined && this.#entries.size > RELEASES_MAX) this.#entries.delete(oldest);
  }
}

/** Identifies the content of a manifest's file. Differs for every other content: manifests are replaced by renames. */
export function identityOf({ ino, size, mtime, ctime }: Deno.FileInfo): string {
  return [ino, size, mtime?.getTime(), ctime?.getTime()].join(" ");
}
