import type { Hash } from "node:crypto";
import { concatenate } from "../core/concatenate.ts";

/** A git object name: 40 hexadecimal digits, or 64 in a SHA-256 repository. */
export type ObjectId = string;

/** The hash by which a repository names its objects. */
export type ObjectFormat = "sha1" | "sha256";

/** Returns the format of a repository that has an object with this name. */
export function objectFormatOf(id: ObjectId): ObjectFormat {
  return id.length === 64 ? "sha256" : "sha1";
}

/** Computes git's name for a file's content from the bytes, without git's filters and settings. */
export class BlobHasher {
  readonly #hash: Hash;

  private constructor(hash: Hash) {
    this.#hash = hash;
  }

  /** @param bytes the file's size, which git hashes first */
  static async create(format: ObjectFormat, bytes: number): Promise<BlobHasher> {
    const { createHash } = await import("node:crypto");
    return new BlobHasher(createHash(format).update(`blob ${bytes}\0`));
  }

  update(piece: Uint8Array): void {
    this.#hash.update(piece);
  }

  id(): ObjectId {
    return this.#hash.digest("hex");
  }
}

/**
 * Returns git's name for a file with this text.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { blobIdOf } from "./object_id.ts";
 * assert.equal(await blobIdOf("sha1", "abc"), "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f");
 * ```
 */
export async function blobIdOf(format: ObjectFormat, text: string): Promise<ObjectId> {
  return await blobIdOfBytes(format, new TextEncoder().encode(text));
}

/** Returns git's name for a file with these bytes. They are copied, and hashed in another thread. */
export async function blobIdOfBytes(format: ObjectFormat, bytes: Uint8Array<ArrayBuffer>): Promise<ObjectId> {
  const head = new TextEncoder().encode(`blob ${bytes.length}\0`);
  const whole = concatenate([head, bytes]);
  return new Uint8Array(await crypto.subtle.digest(ALGORITHMS[format], whole)).toHex();
}

const ALGORITHMS = { sha1: "SHA-1", sha256: "SHA-256" };
