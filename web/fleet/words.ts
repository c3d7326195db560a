import { shortDigest } from "../../lib/release/manifest.ts";
import type { ReleaseName } from "../store/rows.ts";

/** Returns a text as a sentence: messages of errors and reasons of operators begin small and end without a full stop. */
export function sentence(text: string): string {
  const begun = capitalized(text);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

/** Returns a text that begins with a capital letter. */
export function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Returns the name of a release for a sentence: its sequence, or the beginning of its digest. */
export function releaseWords({ digest, sequence }: ReleaseName): string {
  return sequence === undefined ? shortDigest(digest) : String(sequence);
}
