import { LockedError } from "../lib/core/errors.ts";
import { acquireLock } from "../lib/core/lock.ts";
import { canaryFault, canaryPath, judgedCanary, openCanary } from "../lib/canary/find_canary.ts";
import { finishCanary } from "../lib/pipeline/canary.ts";
import type { RunReport } from "../lib/pipeline/run.ts";
import { activeManifest } from "../lib/store/active_release.ts";
import type { IntentRun } from "../lib/store/intent.ts";
import { chooseMode } from "../lib/store/model_folder.ts";
import type { Store } from "../lib/store/store.ts";
import type { Session } from "./_command.ts";
import { runRecorded } from "./_run.ts";
import { safeguardsOf } from "./_safeguards.ts";

/** Another run may hold the store when a verdict falls, but for seldom longer than a download takes. */
const LOCK_PAUSE_MS = 2_000;

/**
 * Stays until there is a verdict on the active release, and acts upon it. Does nothing where none is watched.
 *
 * @throws {RolledBackError} when the release did not prove itself; {@link FailedError} code `CANARY_STATE_INVALID`
 * where nobody can tell whether it is watched
 */
export async function awaitCanary(session: Session, store: Store): Promise<void> {
  const { context, settings } = session;
  // A verdict may be there that a killed run did not act upon.
  const isKnown = canaryFault(store) === undefined;
  if (isKnown && openCanary(store) === undefined && judgedCanary(store) === undefined) return;
  const { watchCanary } = await import("../lib/canary/watch_canary.ts");
  const verdict = await watchCanary(context, {
    statePath: canaryPath(store),
    settings: settings.activation.canary,
  });
  if (verdict.kind === "superseded") return;
  for (;;) {
    await untilUnlocked(session, store);
    // An operator's command acts itself.
    if (judgedCanary(store) === undefined) return;
    try {
      return await concludeCanary(session, store);
    } catch (error) {
      // Another run was faster.
      if (!(error instanceof LockedError)) throw error;
    }
  }
}

/** Waits for the run that holds the store. A recorded run that finds it locked would be a failure on record. */
async function untilUnlocked({ context }: Session, store: Store): Promise<void> {
  const owner = { command: "canary", runId: "waiting", host: context.host };
  for (;;) {
    try {
      using _lock = await acquireLock(context.fs, store.lock, owner, context.clock);
      return;
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
      await context.clock.sleep(LOCK_PAUSE_MS, context.signal);
    }
  }
}

/** Acts upon a verdict, as a recorded run. @throws {RolledBackError} when the release did not prove itself */
async function concludeCanary(session: Session, store: Store): Promise<void> {
  await runRecorded(session, store, "canary", (run) => passOrLeave(session, store, run));
}

async function passOrLeave(session: Session, store: Store, run: IntentRun): Promise<RunReport> {
  const { context, settings } = session;
  if (judgedCanary(store) === undefined) return { outcome: "unchanged" };
  await finishCanary(context, store, {
    run,
    choice: chooseMode(store, settings.activation.mode),
    safeguards: safeguardsOf(settings),
  });
  const active = activeManifest(store);
  return {
    outcome: "promoted",
    ...(active === undefined ? {} : { release: active.digest, sequence: active.sequence }),
  };
}
