import type { FileDigest, Sha256 } from "../core/hash.ts";
import type { FileStamp } from "./stat_cache.ts";

/** A file in staging, with the digest that was computed while it was written. */
export interface StagedFile extends FileDigest {
  readonly path: string;
  /** `written` from the carrier's bytes, or `linked` to a file of an installed release. */
  readonly how: "written" | "linked";
  readonly stamp: FileStamp;
}

/** Checks the bytes of a small file while they are in memory. */
export type SmallFileCheck = (path: string, content: Uint8Array, sha256: Sha256) => Promise<void>;
