import type { FlagParametersForType } from "@stricli/core";
import { AuthenticationError, UsageError } from "../lib/core/errors.ts";
import { Secret } from "../lib/core/secret.ts";
import { deployTargets } from "../lib/redeploy/deploy_targets.ts";
import { redeploy, type RedeployReport } from "../lib/redeploy/redeploy.ts";
import type { WaitOptions } from "../lib/redeploy/wait_for_release.ts";
import { type Digest, shortDigest } from "../lib/release/manifest.ts";
import { integerFlag, type Session, switchFlag, textFlag } from "./_command.ts";
import { formatDuration } from "./_format.ts";
import type { Output } from "./_output.ts";

/** Options of every command that redeploys. */
export interface RedeployFlags {
  readonly wait?: boolean;
  readonly revertOnFailure?: boolean;
  readonly verifyUrl?: string;
  readonly verifyField?: string;
  readonly waitTimeoutSec?: number;
}

export const REDEPLOY_FLAGS: FlagParametersForType<RedeployFlags> = {
  wait: switchFlag("wait until the backend reports the release"),
  revertOnFailure: switchFlag(
    "if it does not, publish the release before to Hugging Face again, and deploy that",
  ),
  verifyUrl: textFlag("where the backend says which release it serves"),
  verifyField: textFlag(
    "the field with the digest, a dotted path (default: release, digest or current.digest)",
  ),
  waitTimeoutSec: integerFlag("how long to wait for the backend, in seconds (default: 900)", 1),
};

/** What is redeployed, and how to go back. */
export interface Redeployment {
  /** What the backend has to report; `undefined` when nobody knows. */
  readonly release: Digest | undefined;
  readonly revert: (() => Promise<Digest>) | undefined;
}

/** Redeploys as the flags say. Whatever is missing for that is told before anything is started. */
export async function runRedeployment(
  session: Session,
  flags: RedeployFlags,
  { release, revert }: Redeployment,
): Promise<RedeployReport> {
  const { context, settings } = session;
  const targets = deployTargets(settings.redeploy.hooks, context.env);
  return await redeploy(context, targets, {
    requestTimeoutMs: settings.redeploy.request_timeout_sec * 1000,
    ...(flags.wait || flags.revertOnFailure ? { wait: waitFor(session, release) } : {}),
    ...(flags.revertOnFailure ? { revert } : {}),
  });
}

/** Throws what would keep a redeployment from its end, before there is anything to take back. */
export function refuseImpossibleRedeployment(session: Session, flags: RedeployFlags): void {
  deployTargets(session.settings.redeploy.hooks, session.context.env);
  if (flags.wait || flags.revertOnFailure) waitOptions(session);
}

function waitFor(session: Session, release: Digest | undefined): { release: Digest; options: WaitOptions } {
  if (release !== undefined) return { release, options: waitOptions(session) };
  throw new UsageError("Cannot wait for the backend: no release was published from here", {
    code: "RELEASE_UNKNOWN",
    hint: "name it with --release, or upload with model-sync hf-upload --redeploy --wait",
  });
}

function waitOptions({ context, settings }: Session): WaitOptions {
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
  const token = verify_token_env === undefined ? undefined : context.env.get(verify_token_env);
  if (verify_token_env !== undefined && (token ?? "") === "") {
    throw new AuthenticationError(`Cannot ask the backend: the variable ${verify_token_env} is not set`, {
      code: "TOKEN_MISSING",
      hint: `set ${verify_token_env} in the environment or in .env, or remove redeploy.verify_token_env`,
    });
  }
  return {
    url: verify_url,
    token: token === undefined ? undefined : new Secret(token),
    field: verify_field,
    timeoutMs: wait_timeout_sec * 1000,
    pollMs: poll_interval_sec * 1000,
    requestTimeoutMs: request_timeout_sec * 1000,
  };
}

export function redeployJson({ deployments, waitedMs }: RedeployReport): Record<string, unknown> {
  return {
    deployments: deployments.map(({ type, host, id }) => ({ type, host, id: id ?? null })),
    waitedMs: waitedMs ?? null,
  };
}

export function redeployLines(output: Output, report: RedeployReport): string[] {
  const { deployments, release, waitedMs } = report;
  const check = output.paint("green", "✓");
  return [
    ...deployments.map(({ type, host, id }) =>
      `${check} deployment started: ${type} on ${host}${id === undefined ? "" : `, ${id}`}`
    ),
    ...(release === undefined || waitedMs === undefined
      ? []
      : [`${check} the backend serves release ${shortDigest(release)}, after ${formatDuration(waitedMs)}`]),
  ];
}
