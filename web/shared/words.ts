import { shortDigest } from "../../lib/release/manifest.ts";

/** Returns a text as a sentence: with a capital letter and a full stop, which errors and reasons lack. */
export function sentence(text: string): string {
  const begun = capitalized(text);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

/** Returns a text with a capital letter at its beginning. */
export function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Returns the name of a release for a sentence: its sequence, or else the beginning of its digest. */
export function releaseWords(
  { digest, sequence }: {
    readonly digest: Parameters<typeof shortDigest>[0];
    readonly sequence?: number | undefined;
  },
): string {
  return sequence === undefined ? shortDigest(digest) : String(sequence);
}
