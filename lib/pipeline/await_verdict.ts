import { canaryFault, canaryPath, judgedCanary, openCanary } from "../canary/find_canary.ts";
import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { LockedError } from "../core/errors.ts";
import { awaitLock } from "../core/lock.ts";
import { activeManifest } from "../store/pointers.ts";
import { chooseMode } from "../store/model_folder.ts";
import type { Store } from "../store/store.ts";
import { actOnVerdict } from "./act_on_verdict.ts";
import { signaturePolicy } from "./configured_signing.ts";
import type { CurrentRun } from "./current_run.ts";
import { openSinks } from "./open_sinks.ts";
import { recordedRun } from "./run.ts";
import type { RunReport } from "./run_report.ts";
import { safeguardsOf } from "./safeguards.ts";

/** Another run may hold the store when the verdict comes, usually for no longer than a download. */
const LOCK_PAUSE_MS = 2_000;

/**
 * Waits for the verdict on the active release, and acts on it. Returns immediately if no release is in canary.
 *
 * @throws {RolledBackError} if the release failed its canary; {@link FailedError} code `CANARY_STATE_INVALID`
 * where the canary's state cannot be read
 */
export async function awaitVerdict(context: Context, store: Store, settings: ModelSync): Promise<void> {
  // A killed run may have left a verdict.
  const isKnown = canaryFault(store) === undefined;
  if (isKnown && openCanary(store) === undefined && judgedCanary(store) === undefined) return;
  const { watchCanary } = await import("../canary/watch_canary.ts");
  const verdict = await watchCanary(context, {
    statePath: canaryPath(store),
    settings: settings.activation.canary,
  });
  if (verdict.kind === "superseded") return;
  for (;;) {
    // A recorded run that finds the store locked would be a failure on record.
    (await awaitLock(context, store.lock, { command: "canary" }, LOCK_PAUSE_MS))[Symbol.dispose]();
    // An operator's command has acted on it.
    if (judgedCanary(store) === undefined) return;
    try {
      return await concludeCanary(context, store, settings);
    } catch (error) {
      // Another run took the lock first.
      if (!(error instanceof LockedError)) throw error;
    }
  }
}

/** Acts on a verdict, as a recorded run. @throws {RolledBackError} when the release did not pass */
async function concludeCanary(context: Context, store: Store, settings: ModelSync): Promise<void> {
  const options = { command: "canary", lock: "store", sinks: await openSinks(settings, store) } as const;
  await recordedRun(
    context,
    store,
    options,
    (run, observed) => promoteOrRollBack(observed, store, settings, run),
  );
}

async function promoteOrRollBack(
  context: Context,
  store: Store,
  settings: ModelSync,
  run: CurrentRun,
): Promise<RunReport> {
  if (judgedCanary(store) === undefined) return { outcome: "unchanged" };
  await actOnVerdict(context, store, {
    run,
    choice: chooseMode(store, settings.activation.mode),
    safeguards: safeguardsOf(settings),
    readSignatures: () => signaturePolicy(context, settings.signing),
  });
  const active = activeManifest(store);
  return {
    outcome: "promoted",
    ...(active === undefined ? {} : { release: active.digest, sequence: active.sequence }),
  };
}
