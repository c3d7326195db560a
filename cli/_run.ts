import type { Context } from "../lib/core/context.ts";
import type { CurrentRun } from "../lib/pipeline/current_run.ts";
import { openSinks } from "../lib/pipeline/open_sinks.ts";
import { recordedRun, type RunOptions } from "../lib/pipeline/run.ts";
import type { RunReport, Timed } from "../lib/pipeline/run_report.ts";
import type { Store } from "../lib/store/store.ts";
import type { Session } from "./_session.ts";
import type { CommandName } from "./_help.ts";
import { makeControlLock } from "../lib/store/control_lock.ts";
import { NO_SIGNATURES, type SignaturePolicy } from "../lib/pipeline/check_signature.ts";
import type { Seal } from "../lib/signing/seal.ts";

/** A recorded run, of which those hear that the configuration names. */
export async function runRecorded<Report extends RunReport>(
  { context, settings, waitsForLock = false }: Session,
  store: Store,
  command: CommandName,
  work: (run: CurrentRun, context: Context) => Promise<Report>,
  options: Partial<Pick<RunOptions, "lock" | "prepare">> = {},
): Promise<Timed<Report>> {
  const sinks = await openSinks(settings, store);
  return await recordedRun(context, store, { command, lock: "store", waitsForLock, ...options, sinks }, work);
}

/** A recorded run of a command that acts on a daemon's roles: it waits for no other run, and works on a full disk. */
export async function runControl<Report extends RunReport>(
  session: Session,
  store: Store,
  command: CommandName,
  work: () => Report,
): Promise<Timed<Report>> {
  return await runRecorded(session, store, command, () => Promise.resolve(work()), {
    lock: "control",
    prepare: () => Promise.resolve(makeControlLock(store)),
  });
}

/** The configured keys. What reads them is loaded where there are any: it costs a start some milliseconds. */

/** Whose signatures this client trusts. @throws {UsageError} for a key that cannot be used */
export async function signaturePolicy({ context, settings }: Session): Promise<SignaturePolicy> {
  const { signing } = settings;
  if (signing.public_keys.length === 0) return NO_SIGNATURES;
  const { configuredTrust } = await import("../lib/signing/configured_keys.ts");
  return { keys: configuredTrust(context, signing), isRequired: signing.required };
}

/** What this publisher seals releases with; nothing where nothing is configured. @throws {UsageError} as above */
export async function releaseSeal({ context, settings }: Session): Promise<Seal | undefined> {
  const { signing } = settings;
  const { private_key, private_key_env, valid_days } = signing;
  if (private_key === undefined && private_key_env === undefined && valid_days === undefined) {
    return undefined;
  }
  const { configuredSeal } = await import("../lib/signing/configured_keys.ts");
  return configuredSeal(context, signing);
}
