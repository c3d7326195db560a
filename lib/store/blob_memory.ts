import * as z from "zod";
import type { Sha256 } from "../core/hash.ts";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

const MEMORY = new RebuiltFile(
  "git_blobs.json",
  z.lazy(() => z.object({ schema: z.literal(1), blobs: z.array(z.string()), sha256s: z.array(z.string()) })),
);

/** A few entries of old contents take no space, and forgetting costs a search in all releases. */
const SPARE_ENTRIES = 100;

/**
 * Remembers the SHA-256 of git objects that earlier runs fetched and hashed, by the objects' names in git. A pull links
 * a file that the store holds instead of fetching it again, and need not trust a manifest for that.
 */
export class BlobMemory {
  readonly #store: Store;
  readonly #known: Map<string, Sha256>;
  #isChanged = false;

  constructor(store: Store) {
    this.#store = store;
    const file = MEMORY.find(store);
    this.#known = new Map(file?.blobs.map((blob, index) => [blob, file.sha256s[index] ?? ""]));
  }

  find(blob: string): Sha256 | undefined {
    return this.#known.get(blob);
  }

  remember(blob: string, sha256: Sha256): void {
    if (this.#known.get(blob) === sha256) return;
    this.#known.set(blob, sha256);
    this.#isChanged = true;
  }

  /**
   * Saves the entries, if there are new ones. Once most of them are of other contents than those of the files, the ones
   * that are not useful are forgotten, which keeps the file small.
   *
   * @param count the number of the files
   * @param openIsUseful returns what says whether the store still has a content
   */
  save(count: number, openIsUseful: () => (sha256: Sha256) => boolean): void {
    if (!this.#isChanged) return;
    if (this.#known.size > count * 2 + SPARE_ENTRIES) this.#forget(openIsUseful());
    MEMORY.replace(this.#store, {
      schema: 1,
      blobs: [...this.#known.keys()],
      sha256s: [...this.#known.values()],
    });
    this.#isChanged = false;
  }

  #forget(isUseful: (sha256: Sha256) => boolean): void {
    for (const [blob, sha256] of this.#known) if (!isUseful(sha256)) this.#known.delete(blob);
  }
}
