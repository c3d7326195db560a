import * as z from "zod";
import { Digest } from "../release/manifest.ts";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

/** The releases that a prune keeps, and some more: of the others, the manifests are read. */
const MANIFESTS_MAX = 100;

const WHOLE = new RebuiltFile(
  "whole_manifests.json",
  z.lazy(() =>
    z.object({
      schema: z.literal(1),
      /** The newest last. */
      manifests: z.array(z.object({ digest: Digest, identity: z.string() })),
    })
  ),
  { isUnsynced: true },
);

/** Returns the identities of the manifests that were whole when they were written. */
export function wholeManifests(store: Store): ReadonlyMap<Digest, string> {
  return new Map(WHOLE.find(store)?.manifests.map(({ digest, identity }) => [digest, identity]));
}

/**
 * Remembers that a manifest is whole, as long as its file has this identity. Ignores a failure of the disk: the next prune
 * only takes longer.
 */
export function rememberWhole(store: Store, digest: Digest, identity: string): void {
  const others = WHOLE.find(store)?.manifests.filter((manifest) => manifest.digest !== digest) ?? [];
  const manifests = [...others, { digest, identity }].slice(-MANIFESTS_MAX);
  WHOLE.remember(store, { schema: 1, manifests });
}
