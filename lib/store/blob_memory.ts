import * as z from "zod";
import { encodeTexts } from "../core/encode_pieces.ts";
import { ifDiskTakes } from "../core/errors.ts";
import { findText } from "../core/files.ts";
import { replaceContent } from "../core/replace_file.ts";
import type { Sha256 } from "../core/hash.ts";
import { clearWay } from "../core/set_aside.ts";
import { BlobText, isPlainEntry } from "./blob_text.ts";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

const MEMORY = new RebuiltFile(
  "git_blobs.json",
  z.lazy(() => z.object({ schema: z.literal(1), blobs: z.array(z.string()), sha256s: z.array(z.string()) })),
);

/** A few entries of old contents take no space, and forgetting costs a search in all releases. */
const SPARE_ENTRIES = 100;

/** This many objects are searched for in the text. Then a map of all is faster. */
const SEARCHES_MAX = 32;

/**
 * Remembers the SHA-256 of git objects that earlier runs fetched and hashed, by the objects' names in git. A pull links
 * a file that the store holds instead of fetching it again, and need not trust a manifest for that.
 */
export class BlobMemory {
  readonly #store: Store;
  /** Read when it is needed. */
  #read: { readonly text: BlobText | undefined } | undefined;
  /** All entries; `undefined` as long as few are looked up. */
  #known: Map<string, Sha256> | undefined;
  /** The entries that are not in the file. */
  readonly #added = new Map<string, Sha256>();
  #searches = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  find(blob: string): Sha256 | undefined {
    const added = this.#added.get(blob);
    if (added !== undefined) return added;
    // Without the text, the file is read whole.
    if (this.#text === undefined || ++this.#searches > SEARCHES_MAX) return this.#all.get(blob);
    return this.#text.find(blob);
  }

  remember(blob: string, sha256: Sha256): void {
    if (this.find(blob) !== sha256) this.#added.set(blob, sha256);
  }

  /**
   * Saves the entries, if there are new ones and the disk takes them. Once most of them are of other contents than those of the files, the ones
   * that are not useful are forgotten, which keeps the file small.
   *
   * @param count the number of the files
   * @param openIsUseful returns what says whether the store still has a content
   */
  save(count: number, openIsUseful: () => (sha256: Sha256) => boolean): void {
    if (this.#added.size === 0) return;
    const isLong = (this.#text?.count ?? this.#all.size) + this.#added.size > count * 2 + SPARE_ENTRIES;
    const isFew = this.#added.size <= SEARCHES_MAX;
    const text = isLong || !isFew ? undefined : this.#text?.with(this.#added);
    this.#replaceFile(text === undefined ? this.#format(isLong ? openIsUseful() : () => true) : [text]);
    // That of 50,000 objects takes 6 MB. A pull does not look up any after it.
    this.#read = undefined;
    this.#known = undefined;
    this.#added.clear();
  }

  get #text(): BlobText | undefined {
    this.#read ??= { text: readText(this.#store) };
    return this.#read.text;
  }

  #replaceFile(texts: Iterable<string>): void {
    const { fs } = this.#store;
    const path = MEMORY.path(this.#store);
    ifDiskTakes(() => {
      clearWay(fs, path);
      replaceContent(fs, path, encodeTexts(texts));
    });
  }

  /** Returns the text of all entries with a useful content, in pieces. */
  #format(isUseful: (sha256: Sha256) => boolean): Iterable<string> {
    const blobs: string[] = [];
    const sha256s: Sha256[] = [];
    for (const entries of [this.#all, this.#added]) {
      for (const [blob, sha256] of entries) {
        const isReplaced = entries !== this.#added && this.#added.has(blob);
        if (isReplaced || !isUseful(sha256) || !isPlainEntry(blob, sha256)) continue;
        blobs.push(blob);
        sha256s.push(sha256);
      }
    }
    return BlobText.format(blobs, sha256s);
  }

  get #all(): Map<string, Sha256> {
    if (this.#known !== undefined) return this.#known;
    const file = MEMORY.find(this.#store);
    return this.#known = new Map(file?.blobs.map((blob, index) => [blob, file.sha256s[index] ?? ""]));
  }
}

/** Damage shows when the whole file is read. */
function readText(store: Store): BlobText | undefined {
  try {
    const text = findText(store.fs, MEMORY.path(store));
    return text === undefined ? undefined : BlobText.of(text);
  } catch {
    return undefined;
  }
}
