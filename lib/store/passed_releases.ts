import * as z from "zod";
import { Digest } from "../release/manifest.ts";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

/** The active release, those that a rollback may activate, and some more. */
const RELEASES_MAX = 20;

const PASSED = new RebuiltFile(
  "passed_releases.json",
  z.lazy(() =>
    z.object({
      schema: z.literal(1),
      /** The newest last. */
      releases: z.array(z.object({ digest: Digest, rules: z.string() })),
    })
  ),
  { isUnsynced: true },
);

/** Returns the rules under which every file of a release passed the checks; `undefined` if that is unknown. */
export function findPassedRules(store: Store, digest: Digest): string | undefined {
  return PASSED.find(store)?.releases.findLast((release) => release.digest === digest)?.rules;
}

/**
 * Remembers that every file of a release passed the checks under these rules. Ignores a failure of the disk: it costs only
 * another check.
 */
export function rememberPassed(store: Store, digest: Digest, rules: string): void {
  const others = PASSED.find(store)?.releases.filter((release) => release.digest !== digest) ?? [];
  const releases = [...others, { digest, rules }].slice(-RELEASES_MAX);
  PASSED.remember(store, { schema: 1, releases });
}
