import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import type { Digest } from "../release/manifest.ts";
import { writePendingReload } from "../store/pending_reload.ts";
import type { Store } from "../store/store.ts";
import { activate, type Activation } from "./activate.ts";
import type { SwapOptions } from "./swap_options.ts";
import type { ValidRelease } from "./validate.ts";

/** The active release that is left for another one, and why it is not to come back. */
export interface LeftRelease {
  readonly digest: Digest;
  readonly sequence: number;
  readonly reason: string;
}

/**
 * Makes a release of the store the active one in the place of another, which is quarantined with it: no schedule brings
 * it back. From here on it is on the disk that consumers have to be told. Where the activation fails, the release was
 * not left and is not quarantined either.
 */
export async function leave(
  context: Context,
  store: Store,
  left: LeftRelease,
  release: ValidRelease,
  { run, choice, safeguards }: SwapOptions,
): Promise<Activation> {
  if (safeguards.reload.length > 0) {
    writePendingReload(store, { digest: left.digest, previous: release.digest });
  }
  return await activate(context, store, release, run, choice, {
    ...left,
    at: isoSeconds(context.clock.now()),
    wasLeft: true,
  });
}
