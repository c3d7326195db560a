import { InterruptedError, ModelSyncError } from "../core/errors.ts";
import { type Digest, shortDigest } from "../release/manifest.ts";
import { problemSeenByConsumers } from "../store/consumer_view.ts";
import { readPointer } from "../store/pointers.ts";
import { findRelease } from "../store/releases.ts";
import type { Store } from "../store/store.ts";

/** The active release after a failed run, as the disk shows it. */
export interface ActiveNow {
  readonly digest: Digest | undefined;
  readonly sequence?: number | undefined;
  /** The release that a rollback activates. */
  readonly previous?: Digest | undefined;
  /** `release 3f9a… is active` */
  readonly text: string;
}

/** Reads from the disk which release is active, and whether consumers see it. */
export function readActiveNow(store: Store): ActiveNow {
  try {
    const digest = readPointer(store, "current");
    if (digest === undefined) return { digest, text: "no release is active" };
    const manifest = findRelease(store, digest)?.manifest;
    const problem = manifest === undefined ? undefined : problemSeenByConsumers(store, manifest);
    const but = problem === undefined ? "" : `, but ${store.modelsDir} ${problem}`;
    return {
      digest,
      sequence: manifest?.sequence,
      previous: readPointer(store, "previous"),
      text: `release ${shortDigest(digest)} is active${but}`,
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { digest: undefined, text: `which release is active cannot be read: ${reason}` };
  }
}

/** The claim of an error's hint from before the recovery of the run. */
const UNTOUCHED = /\bthe active (?:release|one) is untouched\b/;

/** Adds the active release to the hint of a run's error, and replaces what the hint claimed before. */
export function addActiveToHint(failure: unknown, { text }: ActiveNow, isSettled: boolean): void {
  if (!(failure instanceof ModelSyncError)) return;
  const { hint, message } = failure;
  const left = isSettled ? "" : "; the next run settles what this one left";
  if (hint === undefined || (!isSettled && failure instanceof InterruptedError)) {
    failure.reviseHint(`${text}${left}`);
  } else if (UNTOUCHED.test(hint)) {
    failure.reviseHint(hint.replace(UNTOUCHED, text) + left);
  } else {
    failure.reviseHint(
      ([hint, message].some((said) => said.includes(text)) ? hint : `${hint}; ${text}`) + left,
    );
  }
}
