import { compareUtf8 } from "./portable_path.ts";

/** A path that is not the next one is looked for among this many first: files were removed. */
const AHEAD_MAX = 8;

/**
 * Finds entries of a list by their paths. Without an index as long as the paths are looked up in about the order of the
 * list: for 50,000 entries, one takes 7 MB while it grows, and most lists are in the order of paths.
 */
export class PathLookup<Entry extends { readonly path: string }> {
  readonly #entries: readonly Entry[];
  #next = 0;
  #index: ReadonlyMap<string, Entry> | undefined;

  /** @param entries no two have the same path */
  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  /** Returns the entry of a path; `undefined` if there is none. */
  get(path: string): Entry | undefined {
    if (this.#index !== undefined) return this.#index.get(path);
    // From the start again, if the list is gone through once more.
    const entry = this.#findFrom(this.#next, path) ?? this.#findFrom(0, path) ?? this.#findSorted(path);
    if (entry !== undefined) return entry;
    this.#index = new Map(this.#entries.map((entry) => [entry.path, entry]));
    return this.#index.get(path);
  }

  #findFrom(start: number, path: string): Entry | undefined {
    for (let at = start; at < start + AHEAD_MAX; at++) {
      const entry = this.#entries[at];
      if (entry?.path !== path) continue;
      this.#next = at + 1;
      return entry;
    }
    return undefined;
  }

  /** Finds an entry where it is if the list is in the order of paths. */
  #findSorted(path: string): Entry | undefined {
    let [start, end] = [0, this.#entries.length];
    while (start < end) {
      const middle = (start + end) >>> 1;
      const entry = this.#entries[middle];
      if (entry?.path === path) {
        this.#next = middle + 1;
        return entry;
      }
      if (entry !== undefined && compareUtf8(entry.path, path) < 0) start = middle + 1;
      else end = middle;
    }
    return undefined;
  }
}
