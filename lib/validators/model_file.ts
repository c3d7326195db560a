import type { Sha256 } from "../core/hash.ts";

/** A file whose bytes were verified, where it can be looked at before anybody loads it. */
export interface ModelFile {
  /** As the manifest names it: relative, with `/`. */
  readonly path: string;
  /** Where it is on this machine. */
  readonly location: string;
  readonly size: number;
  readonly sha256: Sha256;
}
