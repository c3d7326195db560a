import { RefusedError } from "../core/errors.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import { findLeftSequence, findQuarantine } from "../store/quarantine.ts";
import type { Store } from "../store/store.ts";

/**
 * Refuses a release that is quarantined, or older than the active one or than one that was rolled back from.
 *
 * @throws {RefusedError} code `QUARANTINED` or `DOWNGRADE`
 */
export function refuseUnwanted(
  store: Store,
  offered: { readonly digest: Digest; readonly sequence: number },
  active: Manifest | undefined,
  options: { readonly allowDowngrade: boolean; readonly force: boolean },
): void {
  const entry = findQuarantine(store, offered.digest, offered.sequence);
  if (entry !== undefined && !options.force) {
    throw new RefusedError(
      `Cannot activate release ${
        shortDigest(offered.digest)
      }: it is quarantined since ${entry.at}, ${entry.reason}`,
      {
        code: "QUARANTINED",
        hint: `publish a newer release, or allow this one again: model-sync quarantine lift ${
          shortDigest(offered.digest)
        }`,
      },
    );
  }
  if (active === undefined || options.allowDowngrade) return;
  const left = offered.digest === active.digest ? undefined : findLeftSequence(store);
  const newest = Math.max(active.sequence, left ?? 0);
  if (offered.sequence >= newest) return;
  throw new RefusedError(
    `Cannot go back from sequence ${newest} to ${offered.sequence}: release ${
      shortDigest(offered.digest)
    } is older than ${newest > active.sequence ? "the one that was left by a rollback" : "the active one"}` +
      (offered.sequence === 0 ? ", or the registry lost its model-sync.json" : ""),
    { code: "DOWNGRADE", hint: "if that is meant, run again with --allow-downgrade" },
  );
}
