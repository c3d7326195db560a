import * as z from "zod";
import type { Sha256 } from "../core/hash.ts";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

const MEMORY = new RebuiltFile(
  "git_blobs.json",
  z.object({ schema: z.literal(1), blobs: z.array(z.string()), sha256s: z.array(z.string()) }),
);

/**
 * Remembers the SHA-256 of git objects that earlier runs fetched and hashed, by the objects' names in git. A pull links
 * a file that the store holds instead of fetching it again, and need not trust a manifest for that.
 */
export class BlobMemory {
  readonly #store: Store;
  readonly #known: Map<string, Sha256>;

  constructor(store: Store) {
    this.#store = store;
    const file = MEMORY.find(store);
    this.#known = new Map(file?.blobs.map((blob, index) => [blob, file.sha256s[index] ?? ""]));
  }

  find(blob: string): Sha256 | undefined {
    return this.#known.get(blob);
  }

  remember(blob: string, sha256: Sha256): void {
    this.#known.set(blob, sha256);
  }

  /** Saves the entries whose content `isUseful`. The others are forgotten, which keeps the file small. */
  save(isUseful: (sha256: Sha256) => boolean): void {
    const entries = [...this.#known].filter(([, sha256]) => isUseful(sha256));
    MEMORY.replace(this.#store, {
      schema: 1,
      blobs: entries.map(([blob]) => blob),
      sha256s: entries.map(([, sha256]) => sha256),
    });
  }
}
