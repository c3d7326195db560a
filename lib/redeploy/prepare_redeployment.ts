import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { requireToken } from "../core/read_secret.ts";
import { hubSettings, repoLayout } from "../huggingface/hub_settings.ts";
import { type RestoreOptions, restoreRelease } from "../huggingface/restore_release.ts";
import { isTrustedRelease } from "../pipeline/check_signature.ts";
import { releaseSeal, signaturePolicy } from "../pipeline/configured_signing.ts";
import type { Steps } from "../pipeline/current_run.ts";
import { type CommandScope, reportedRun } from "../pipeline/reported_run.ts";
import type { Digest } from "../release/manifest.ts";
import { readHistory, TRAINING_COMMANDS } from "../store/history.ts";
import { findStore, type Store } from "../store/store.ts";
import { nextWithdrawals } from "../store/withdrawals.ts";
import { deployTargets } from "./deploy_targets.ts";
import { redeploy, type RedeployReport, type RevertedTo } from "./redeploy.ts";
import type { WaitOptions } from "./wait_for_release.ts";

/** The operator's choices for one redeployment. */
export interface RedeployChoices {
  /** Whether to wait until the backend reports the release. */
  readonly waits: boolean;
  /** Whether to publish and deploy the release before where the backend does not report the new one; this waits, too. */
  readonly revertsOnFailure: boolean;
}

/** A redeployment whose settings were read: nothing is missing for it. */
export type Redeployment = (
  release: Digest | undefined,
  run: Steps,
  context: Context,
) => Promise<RedeployReport>;

/**
 * Reads the settings of a redeployment, and throws what is wrong with them before anything is uploaded or deployed.
 *
 * @returns the function that begins it, with the release that the backend has to report
 */
export async function prepareRedeployment(
  scope: CommandScope,
  { waits, revertsOnFailure }: RedeployChoices,
): Promise<Redeployment> {
  const { context, settings } = scope;
  const targets = deployTargets(settings.redeploy.hooks, context.env);
  const options = waits || revertsOnFailure ? waitOptions(scope) : undefined;
  const revert = revertsOnFailure ? await revertOnHub(scope) : undefined;
  return async (release, run, observed) => {
    const wait = options === undefined ? undefined : { release: knownRelease(release), options };
    const requestTimeoutMs = settings.redeploy.request_timeout_sec * 1000;
    return await redeploy(observed, run, targets, { requestTimeoutMs, wait, revert });
  };
}

/** Redeploys as a recorded run. It may wait long for a backend, so it has a lock of its own: no other run waits for it. */
export async function recordedRedeployment(
  scope: CommandScope,
  store: Store,
  begin: Redeployment,
  release: Digest | undefined,
): Promise<RedeployReport> {
  const { report } = await reportedRun(scope, store, "redeploy", async (run, observed) => {
    const report = await begin(release, run, observed);
    return { outcome: "redeployed", ...(release === undefined ? {} : { release }), report };
  }, { lock: "redeploy" });
  return report;
}

/** The number of runs that are searched for the last publish. */
const RUNS_SEARCHED = 100;

/** Returns the release that this machine published last: publishing and redeploying are two steps of one script. */
export function lastPublished(store: Store): Digest | undefined {
  return readHistory(store, RUNS_SEARCHED)
    .find(({ command, release }) =>
      [...TRAINING_COMMANDS, "withdraw"].includes(command) && release !== undefined
    )
    ?.release;
}

async function revertOnHub(
  { context, settings, location }: CommandScope,
): Promise<(failed: Digest) => Promise<RevertedTo>> {
  const seal = await releaseSeal(context, settings.signing);
  const { keys, isRequired } = await signaturePolicy(context, settings.signing);
  const hub = hubSettings(settings, context);
  const layout = repoLayout(settings);
  const now = context.clock.now();
  // What this machine signs, it trusts: an unsigned release would get a signature.
  const policy = { keys, isRequired: isRequired || seal?.signer !== undefined };
  const isTrusted: RestoreOptions["isTrusted"] = async (claim) => {
    const { manifest, text, signature } = claim;
    if (signature !== undefined && await seal?.signer?.hasSigned(signature, manifest, text) === true) {
      return true;
    }
    return await isTrustedRelease(context, claim, policy, now);
  };
  return async (failed) => {
    const known = nextWithdrawals(findStore(context.fs, location, context.log));
    return await restoreRelease(context, hub, layout, { failed, seal, known, isTrusted });
  };
}

function knownRelease(release: Digest | undefined): Digest {
  if (release !== undefined) return release;
  throw new UsageError("Cannot wait for the backend: no release was published from here", {
    code: "RELEASE_UNKNOWN",
    hint: "name it with --release, or upload with model-sync hf-upload --redeploy --wait",
  });
}

function waitOptions({ context, settings }: CommandScope): WaitOptions {
  const {
    verify_url,
    verify_field,
    verify_token_env,
    wait_timeout_sec,
    poll_interval_sec,
    request_timeout_sec,
  } = settings.redeploy;
  if (verify_url === undefined) {
    throw new UsageError("Cannot wait for the backend: redeploy.verify_url is not set", {
      code: "VERIFY_URL_UNSET",
      hint:
        "set model_sync.redeploy.verify_url or --verify-url to an address that reports the release's digest",
    });
  }
  const token = verify_token_env === undefined ? undefined : requireToken(context.env, verify_token_env, {
    failure: "Cannot query the backend: ",
    advice: ", or remove redeploy.verify_token_env",
  });
  return {
    url: verify_url,
    token,
    field: verify_field,
    timeoutMs: wait_timeout_sec * 1000,
    pollMs: poll_interval_sec * 1000,
    requestTimeoutMs: request_timeout_sec * 1000,
  };
}
