import type { Publication, Publisher } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { type Carrier, type Digest, shortDigest, totalBytes } from "../release/manifest.ts";
import { readModelSet } from "../release/model_set.ts";
import { inspectModelFolder } from "../store/model_folder.ts";
import { StatCache } from "../store/stat_cache.ts";
import type { Store } from "../store/store.ts";
import type { RunReport } from "./run.ts";

export interface PublishReport extends RunReport {
  readonly outcome: "published" | "unchanged";
  readonly carrier: Carrier;
  readonly release: Digest;
  readonly sequence: number;
  readonly files: number;
  readonly bytes: number;
  readonly changed: number;
}

/**
 * Publishes the model folder: reads it while the target is being opened, then lets the publisher send what changed.
 *
 * @param open opens the target; called at once
 */
export async function publish<Result extends Publication>(
  context: Context,
  store: Store,
  open: () => Promise<Publisher<Result>>,
): Promise<PublishReport & { readonly publication: Result }> {
  const cache = StatCache.ofPublished(store);
  const [reading, opening] = await Promise.allSettled([
    readModelSet(context, store.modelsDir, cache),
    open(),
  ]);
  using publisher = opening.status === "fulfilled" ? opening.value : undefined;
  if (reading.status === "rejected") throw reading.reason;
  if (publisher === undefined) {
    throw opening.status === "rejected" ? opening.reason : new TypeError("no publisher");
  }
  const set = reading.value;
  cache.save();
  const publication = await publisher.publish(set);
  context.log.info(`release ${shortDigest(set.digest)} is ${publication.outcome}`);
  const { outcome, sequence, changed, previous } = publication;
  return {
    outcome,
    carrier: publisher.carrier,
    release: set.digest,
    ...(previous === undefined ? {} : { previous }),
    sequence,
    files: set.files.length,
    bytes: totalBytes(set.files),
    changed,
    publication,
  };
}

/** Training must not write through the link into an immutable release. @throws {UsageError} `MODELS_ACTIVATED` */
export function refuseTrainingIntoRelease(store: Store): void {
  if (inspectModelFolder(store).kind !== "linked") return;
  throw new UsageError(
    `Cannot train into ${store.modelsDir}: it is the active release of a pull, which never changes`,
    {
      code: "MODELS_ACTIVATED",
      hint:
        "train into another folder and set model_sync.models_dir (or --models-dir) of the publisher to it",
    },
  );
}
