import { join } from "node:path";
import { z } from "zod";
import { replaceFile } from "../core/files.ts";
import type { Sha256 } from "../core/hash.ts";
import { readState } from "../store/state_entries.ts";
import type { Store } from "../store/store.ts";
import type { ObjectId } from "./registry.ts";

const MemoryFile = z.object({
  schema: z.literal(1),
  blobs: z.array(z.string()),
  sha256s: z.array(z.string()),
});

/**
 * Remembers which content git objects turned out to have when they were hashed. It is what lets a pull link a file
 * that the store holds instead of fetching it again, without taking a manifest's word for it.
 */
export class BlobMemory {
  readonly #store: Store;
  readonly #path: string;
  readonly #known: Map<ObjectId, Sha256>;

  constructor(store: Store) {
    this.#store = store;
    this.#path = join(store.root, "git_blobs.json");
    const file = readState(store, "git_blobs.json", MemoryFile);
    this.#known = new Map(file?.blobs.map((blob, index) => [blob, file.sha256s[index] ?? ""]));
  }

  find(blob: ObjectId): Sha256 | undefined {
    return this.#known.get(blob);
  }

  remember(blob: ObjectId, sha256: Sha256): void {
    this.#known.set(blob, sha256);
  }

  /** Writes down what concerns content that `isUseful`; the rest is forgotten, so that the memory stays bounded. */
  save(isUseful: (sha256: Sha256) => boolean): void {
    const entries = [...this.#known].filter(([, sha256]) => isUseful(sha256));
    const file: z.infer<typeof MemoryFile> = {
      schema: 1,
      blobs: entries.map(([blob]) => blob),
      sha256s: entries.map(([, sha256]) => sha256),
    };
    replaceFile(this.#store.fs, this.#path, JSON.stringify(file));
  }
}
