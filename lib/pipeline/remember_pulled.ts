import type { Revision } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { DiskError, diskError } from "../core/errors.ts";
import type { Manifest } from "../release/manifest.ts";
import { acceptPulled, liftQuarantine } from "../store/quarantine.ts";
import type { RecordedWriter } from "../store/recorded_writer.ts";
import { rememberRevision } from "../store/revisions.ts";
import type { Store } from "../store/store.ts";

/** Writes down what the next pulls go by. The release is active by now, whether or not the disk takes it. */
export function rememberPulled(
  { log }: Context,
  store: Store,
  revision: Revision,
  manifest: Manifest,
  unchanged: boolean,
  otherWriter: RecordedWriter | undefined,
): void {
  const { digest, sequence } = manifest;
  try {
    if (unchanged) liftQuarantine(store, digest);
    else acceptPulled(store, digest);
    rememberRevision(store, revision.source, { revision: revision.id, digest, sequence, otherWriter });
  } catch (error) {
    const failure = diskError(error, "remember what was pulled");
    if (!(failure instanceof DiskError)) throw failure;
    log.warn(failure.message);
  }
}
