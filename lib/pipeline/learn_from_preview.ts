import type { Source } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { DiskError, diskError, firstFailure, messageOf } from "../core/errors.ts";
import { TemporaryFolder } from "../core/folders.ts";
import { readPointer } from "../store/pointers.ts";
import type { Store } from "../store/store.ts";
import { checkOffer, type TrustOptions } from "./check_offer.ts";
import { learnFrom } from "./withdrawn_release.ts";

/**
 * Opens a source as a dry run does: it writes only into the scratch folder. For a pull that fails on a full disk before
 * it knows the withdrawals.
 */
export type OpenPreview = (scratch: string) => Source;

/**
 * Learns the withdrawals without the store's disk: in the system's temporary folder, as a dry run reads them. A failure
 * is only logged, because the failure of the pull matters more.
 *
 * @returns whether they were read
 */
export async function learnFromPreview(
  context: Context,
  store: Store,
  openPreview: OpenPreview | undefined,
  options: TrustOptions,
): Promise<boolean> {
  if (openPreview === undefined || readPointer(store, "current") === undefined) return false;
  context.log.info("the pull fails on the disk: reading the withdrawals in a temporary folder");
  try {
    await using scratch = new TemporaryFolder(context.fs, "pull");
    await using preview = openPreview(scratch.path);
    const inspected = await preview.inspect(await preview.resolve());
    const { offer, accepted } = await checkOffer(context, inspected, options);
    learnFrom(context, store, accepted?.manifest ?? offer.claim?.manifest);
    return true;
  } catch (error) {
    context.log.warn(`cannot check whether the active release is withdrawn: ${messageOf(error)}`);
    return false;
  }
}

/** Returns whether the disk made a pull fail. */
export function isDiskFault(error: unknown): boolean {
  return diskError(firstFailure(error), "pull") instanceof DiskError;
}
