import { shortDigest } from "../../lib/release/manifest.ts";
import type { ReleaseName } from "../store/rows.ts";

/** Returns the name of a release for a sentence: its sequence, or the beginning of its digest. */
export function releaseWords({ digest, sequence }: ReleaseName): string {
  return sequence === undefined ? shortDigest(digest) : String(sequence);
}
