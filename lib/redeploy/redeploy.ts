import type { Context } from "../core/context.ts";
import { FailedError, InterruptedError, ModelSyncError } from "../core/errors.ts";
import type { Steps } from "../pipeline/current_run.ts";
import { RolledBackError } from "../pipeline/run_report.ts";
import { type Digest, shortDigest } from "../release/manifest.ts";
import type { DeployTarget } from "./deploy_targets.ts";
import { type Deployment, triggerDeploy } from "./trigger_deploy.ts";
import { waitForRelease, type WaitOptions } from "./wait_for_release.ts";

export interface RedeployOptions {
  readonly requestTimeoutMs: number;
  /** The release that the backend has to report; `undefined` to not wait for it. */
  readonly wait?: { readonly release: Digest; readonly options: WaitOptions } | undefined;
  /** Publishes the previous release again, when the backend does not report the new one. */
  readonly revert?: ((failed: Digest) => Promise<RevertedTo>) | undefined;
}

/** The release that was published again. */
export interface RevertedTo {
  readonly release: Digest;
  readonly sequence: number;
}

export interface RedeployReport {
  readonly deployments: readonly Deployment[];
  readonly release: Digest | undefined;
  /** The time until the backend reported the release. */
  readonly waitedMs: number | undefined;
}

/**
 * Starts every deployment and, with `wait`, waits until the backend serves the release. If it does not, `revert`
 * publishes the previous release again, and it is deployed: the backend must not stay on a release that it cannot
 * serve.
 *
 * @throws {RolledBackError} code `RELEASE_NOT_SERVED` when the previous release is published and deployed again;
 * {@link FailedError} with that code when nothing was rolled back, or not all; what {@link triggerDeploy} throws
 */
export async function redeploy(
  context: Context,
  run: Steps,
  targets: readonly DeployTarget[],
  { requestTimeoutMs, wait, revert }: RedeployOptions,
): Promise<RedeployReport> {
  const deployments = await run.step("deploy", () => triggerAll(context, targets, requestTimeoutMs));
  if (wait === undefined) return { deployments, release: undefined, waitedMs: undefined };
  try {
    const waitedMs = await run.step("wait", () => waitForRelease(context, wait.release, wait.options));
    return { deployments, release: wait.release, waitedMs };
  } catch (error) {
    if (!(error instanceof FailedError) || revert === undefined) throw error;
    context.log.error(error.message);
    context.log.warn("publishing the previous release again, and deploying it");
    let state = "the branch is unchanged";
    let before: RevertedTo;
    try {
      before = await run.step("revert", () => revert(wait.release));
      state = `release ${shortDigest(before.release)} is published again, but not deployed`;
      await triggerAll(context, targets, requestTimeoutMs);
    } catch (failure) {
      if (!(failure instanceof ModelSyncError) || failure instanceof InterruptedError) throw failure;
      // The first failure is that of the release.
      throw new FailedError(`${error.message}; ${state}: ${failure.message}`, {
        code: error.code,
        cause: error,
        hint: failure.hint,
      });
    }
    throw rolledBack(error, wait.release, before);
  }
}

function rolledBack(error: FailedError, failed: Digest, { release, sequence }: RevertedTo): RolledBackError {
  return new RolledBackError(
    `${error.message}; release ${shortDigest(release)} is published and deployed again`,
    {
      code: error.code,
      cause: error,
      hint: error.hint,
      report: { outcome: "rolled-back", carrier: "huggingface", release, previous: failed, sequence },
    },
  );
}

async function triggerAll(
  context: Context,
  targets: readonly DeployTarget[],
  requestTimeoutMs: number,
): Promise<Deployment[]> {
  const deployments: Deployment[] = [];
  for (const target of targets) {
    const deployment = await triggerDeploy(context, target, requestTimeoutMs);
    context.log.info(
      `started a deployment on ${deployment.host}${deployment.id === undefined ? "" : `: ${deployment.id}`}`,
    );
    deployments.push(deployment);
  }
  return deployments;
}
