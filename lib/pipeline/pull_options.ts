import type { ActivationSetting } from "../config/choices.ts";
import type { TrustOptions } from "./check_offer.ts";
import type { OpenPreview } from "./learn_from_preview.ts";
import type { Safeguards } from "./safeguards.ts";

/** What a pull accepts, and what it does with a release. */
export interface PullOptions extends TrustOptions {
  /** Accepts a release with a lower sequence than the active one. */
  readonly allowDowngrade: boolean;
  /** Accepts a quarantined release, and hashes and stages an unchanged one again. */
  readonly force: boolean;
  readonly activation: ActivationSetting;
  /** Checks before the activation, notifications and canary after it. */
  readonly safeguards?: Safeguards;
  /**
   * Succeeds with the active release if the carrier is unreachable. If none is active, the models that are already in
   * the model folder become the active release, unless signatures are required.
   */
  readonly isOfflineOk?: boolean;
  /** Whether a folder that this machine trains into may be replaced. */
  readonly adopts?: boolean;
  /** The number of releases to keep in the store. */
  readonly keep: number;
  /** Only for a source whose `inspect` writes to the disk, and does not download the models. */
  readonly openPreview?: OpenPreview;
}
