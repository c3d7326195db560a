import { join } from "node:path";
import { type Chunks, readChunks } from "../core/chunk_list.ts";
import type { Context } from "../core/context.ts";
import { formatBytes } from "../core/format.ts";
import { hashFile, isChunked, type Sha256 } from "../core/hash.ts";
import type { HeldSpan } from "../http/download_types.ts";
import { type ReleaseFile, shortDigest } from "../release/manifest.ts";
import { listReleases, releaseDir } from "./releases.ts";
import type { Store } from "./store.ts";

/** Where the store has a chunk. */
interface HeldChunk {
  readonly path: string;
  readonly offset: number;
}

/**
 * Finds the chunks of a wanted file in the files of all installed releases, whatever their paths. A carrier creates one
 * for a pull and passes its spans as `findHeld` to `download()`:
 *
 * ```ts ignore
 * const held = new HeldChunks(context, store);
 * await download(context, { ..., expected: { bytes, sha256, contentChunks }, findHeld: () => held.spansOf(file) });
 * ```
 */
export class HeldChunks {
  readonly #context: Context;
  readonly #store: Store;
  #files: readonly HeldFile[] | undefined;

  constructor(context: Context, store: Store) {
    this.#context = context;
    this.#store = store;
  }

  /**
   * Returns the spans of a file that the store has, in order and apart from each other; none if the manifest of the file
   * lists no chunks. It only compares lists: the bytes are not read, and may be damaged.
   *
   * @param file the manifest's entry of the wanted file
   */
  async spansOf(file: ReleaseFile): Promise<HeldSpan[]> {
    const wanted = readChunks(file.contentChunks, file.size);
    if (wanted === undefined) return [];
    const places = new Map<string, HeldChunk | undefined>();
    for (let index = 0; index < wanted.count; index++) places.set(wanted.key(index), undefined);
    for (const held of this.#held()) {
      const chunks = readChunks(held.file.contentChunks, held.file.size);
      if (chunks !== undefined) note(places, chunks, held.location);
    }
    const unlisted = this.#findUnlisted(file.path);
    if (unlisted !== undefined) {
      const chunks = await this.#computeChunks(unlisted);
      if (chunks !== undefined) note(places, chunks, unlisted.location);
    }
    return toSpans(wanted, places);
  }

  /** Returns the files of all installed releases, newest release first, each content once. */
  #held(): readonly HeldFile[] {
    if (this.#files !== undefined) return this.#files;
    const files = new Map<Sha256, HeldFile>();
    for (const { manifest } of listReleases(this.#store)) {
      const dir = releaseDir(this.#store, manifest.digest);
      for (const file of manifest.files) {
        if (!isChunked(file.size) || files.has(file.sha256)) continue;
        files.set(file.sha256, {
          file,
          location: join(dir, file.path),
          release: shortDigest(manifest.digest),
        });
      }
    }
    return this.#files = [...files.values()];
  }

  /** Returns the newest file of the same path if its manifest lists no chunks: an older version has published it. */
  #findUnlisted(path: string): HeldFile | undefined {
    const newest = this.#held().find(({ file }) => file.path === path);
    return newest?.file.contentChunks === undefined ? newest : undefined;
  }

  async #computeChunks({ file, location, release }: HeldFile): Promise<Chunks | undefined> {
    const { fs, log, signal } = this.#context;
    log.info(
      `reading ${file.path} of release ${release} (${formatBytes(file.size)}) to find unchanged parts: ` +
        "its manifest does not list them",
    );
    try {
      const digest = await hashFile(fs, location, { signal, isForManifest: true });
      return readChunks(digest.contentChunks, digest.bytes);
    } catch (error) {
      signal.throwIfAborted();
      log.warn(`cannot read ${location}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }
}

interface HeldFile {
  readonly file: ReleaseFile;
  readonly location: string;
  readonly release: string;
}

/** Notes the places of the wanted chunks that have none yet. */
function note(places: Map<string, HeldChunk | undefined>, chunks: Chunks, path: string): void {
  for (let index = 0; index < chunks.count; index++) {
    const key = chunks.key(index);
    if (places.has(key) && places.get(key) === undefined) {
      places.set(key, { path, offset: chunks.start(index) });
    }
  }
}

/** Returns the placed chunks, those that follow each other in the same file as one span. */
function toSpans(wanted: Chunks, places: ReadonlyMap<string, HeldChunk | undefined>): HeldSpan[] {
  const spans: HeldSpan[] = [];
  for (let index = 0; index < wanted.count; index++) {
    const place = places.get(wanted.key(index));
    if (place === undefined) continue;
    const [start, end] = [wanted.start(index), wanted.end(index)];
    const last = spans.at(-1);
    const isNext = last !== undefined && last.end === start && last.path === place.path &&
      last.offset + last.end - last.start === place.offset;
    if (isNext) spans.splice(-1, 1, { ...last, end });
    else spans.push({ ...place, start, end });
  }
  return spans;
}
