import type { Revision } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { DiskError, diskError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Manifest } from "../release/manifest.ts";
import { acceptPulled, liftQuarantine } from "../store/quarantine.ts";
import type { RecordedWriter } from "../store/recorded_writer.ts";
import { rememberRevision } from "../store/revisions.ts";
import type { Store } from "../store/store.ts";

/** Remembers the pulled revision for the next pulls. The release is active already, even if the disk has no room for this. */
export function rememberPulled(
  { log }: Context,
  store: Store,
  revision: Revision,
  manifest: Manifest,
  unchanged: boolean,
  otherWriter: RecordedWriter | undefined,
): void {
  const { digest, sequence } = manifest;
  ifRoom(log, () => {
    if (unchanged) liftQuarantine(store, digest);
    else acceptPulled(store, digest);
    rememberRevision(store, revision.source, { revision: revision.id, digest, sequence, otherWriter });
  });
}

/** Remembers a revision whose release is withdrawn, so that later pulls refuse it without a download. */
export function rememberRefused(
  { log }: Context,
  store: Store,
  revision: Revision,
  manifest: Manifest,
): void {
  const { digest, sequence } = manifest;
  ifRoom(log, () => rememberRevision(store, revision.source, { revision: revision.id, digest, sequence }));
}

function ifRoom(log: Pick<Log, "warn">, write: () => void): void {
  try {
    write();
  } catch (error) {
    const failure = diskError(error, "remember the pulled revision");
    if (!(failure instanceof DiskError)) throw failure;
    log.warn(failure.message);
  }
}
