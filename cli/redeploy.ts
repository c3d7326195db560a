import { repoLayout } from "../lib/huggingface/hub_settings.ts";
import { buildCommand, type FlagParametersForType } from "@stricli/core";
import type { Context } from "../lib/core/context.ts";
import { AuthenticationError, UsageError } from "../lib/core/errors.ts";
import { absenceOf, findToken } from "../lib/core/read_secret.ts";
import { hubSettings } from "../lib/huggingface/hub_settings.ts";
import { restoreRelease } from "../lib/huggingface/restore_release.ts";
import type { Steps } from "../lib/pipeline/current_run.ts";
import { deployTargets } from "../lib/redeploy/deploy_targets.ts";
import { redeploy, type RedeployReport, type RevertedTo } from "../lib/redeploy/redeploy.ts";
import type { WaitOptions } from "../lib/redeploy/wait_for_release.ts";
import { Digest, shortDigest } from "../lib/release/manifest.ts";
import { findStore, openStore, type Store } from "../lib/store/store.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  type CommonFlags,
  integerFlag,
  switchFlag,
  textFlag,
} from "./_options.ts";
import { defineProgram, type Invocation, main, type Program, withSession } from "./_command.ts";
import type { Session } from "./_session.ts";
import { formatDuration } from "../lib/core/format.ts";
import { releaseSeal, runRecorded } from "./_run.ts";
import type { Output } from "./_output.ts";
import { readHistory } from "../lib/store/history.ts";
import { SUMMARIES } from "./_help.ts";

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
    "if it does not, publish the release before to Hugging Face again, deploy that, and exit with 8",
  ),
  verifyUrl: textFlag("address where the backend reports its release"),
  verifyField: textFlag(
    "the field with the digest, a dotted path (default: release, digest or current.digest)",
  ),
  waitTimeoutSec: integerFlag("how long to wait for the backend, in seconds (default: 900)", 1),
};

/** A redeployment that is ready to begin: nothing is missing for it. */
export type Redeployment = (
  release: Digest | undefined,
  run: Steps,
  context: Context,
) => Promise<RedeployReport>;

/** One redeployment, recorded. It may wait for a backend for long, and keeps no other run waiting. */
export async function runRedeployment(
  session: Session,
  store: Store,
  begin: Redeployment,
  release: Digest | undefined,
): Promise<RedeployReport> {
  const { report } = await runRecorded(session, store, "redeploy", async (run, observed) => {
    const report = await begin(release, run, observed);
    return { outcome: "redeployed", ...(release === undefined ? {} : { release }), report };
  }, { lock: "redeploy" });
  return report;
}

/**
 * Makes a redeployment ready, as the flags say. Whatever is missing for it is thrown here, before anything is uploaded
 * or started.
 *
 * @returns the function that begins it, with the release that the backend has to report
 */
export async function prepareRedeployment(session: Session, flags: RedeployFlags): Promise<Redeployment> {
  const { context, settings } = session;
  const targets = deployTargets(settings.redeploy.hooks, context.env);
  const waits = flags.wait === true || flags.revertOnFailure === true;
  const options = waits ? waitOptions(session) : undefined;
  const revert = flags.revertOnFailure ? await revertOnHub(session) : undefined;
  return async (release, run, observed) => {
    const wait = options === undefined ? undefined : { release: knownRelease(release), options };
    const requestTimeoutMs = settings.redeploy.request_timeout_sec * 1000;
    return await redeploy(observed, run, targets, { requestTimeoutMs, wait, revert });
  };
}

async function revertOnHub(session: Session): Promise<(failed: Digest) => Promise<RevertedTo>> {
  const { context, settings } = session;
  const seal = await releaseSeal(session);
  const hub = hubSettings(settings, context);
  const layout = repoLayout(settings);
  return async (failed) => await restoreRelease(context, hub, layout, failed, seal);
}

function knownRelease(release: Digest | undefined): Digest {
  if (release !== undefined) return release;
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
  const token = verify_token_env === undefined ? undefined : findToken(context.env, verify_token_env);
  if (verify_token_env !== undefined && token === undefined) {
    const absence = absenceOf(context.env, verify_token_env);
    throw new AuthenticationError(`Cannot ask the backend: the variable ${verify_token_env} ${absence}`, {
      code: "TOKEN_MISSING",
      hint: `set ${verify_token_env} in the environment or in .env, or remove redeploy.verify_token_env`,
    });
  }
  return {
    url: verify_url,
    token,
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

interface Flags extends CommonFlags, RedeployFlags {
  readonly release?: string;
  readonly dryRun?: boolean;
}

export const program: Program = defineProgram(
  "redeploy",
  buildCommand<Flags, [], Invocation>({
    docs: { brief: SUMMARIES.redeploy },
    parameters: {
      flags: {
        ...COMMON_FLAGS,
        ...REDEPLOY_FLAGS,
        release: textFlag(
          "the digest that the backend has to report (default: the last that was published from here)",
        ),
        dryRun: switchFlag("show which deployments would be started, and start none"),
      },
      aliases: COMMON_ALIASES,
    },
    func: withSession((session, flags) =>
      flags.dryRun ? Promise.resolve(preview(session)) : run(session, flags)
    ),
  }),
);

async function run(session: Session, flags: Flags): Promise<void> {
  const { context, output, location } = session;
  const release = flags.release === undefined ? lastPublished(session) : parseRelease(flags.release);
  const begin = await prepareRedeployment(session, flags);
  const store = openStore(context.fs, location, context.log);
  const report = await runRedeployment(session, store, begin, release);
  output.result(
    { outcome: "redeployed", release: report.release ?? null, ...redeployJson(report) },
    () => redeployLines(output, report),
  );
}

function preview({ context, settings, output }: Session): void {
  const targets = deployTargets(settings.redeploy.hooks, context.env).map((target) => ({
    type: target.type,
    host: new URL(target.kind === "hook" ? target.url.reveal() : target.url).host,
    method: target.kind === "hook" ? target.method : "POST",
  }));
  output.answer(
    { dryRun: true, deployments: targets },
    () => targets.map(({ type, host, method }) => `would start a deployment: ${type}, ${method} to ${host}`),
  );
}

/** How far back the publishing run may be. */
const RUNS_LOOKED_AT = 100;

/** Publishing and redeploying are two steps of one script. */
function lastPublished({ context, location }: Session): Digest | undefined {
  const store = findStore(context.fs, location, context.log);
  if (store === undefined) return undefined;
  return readHistory(store, RUNS_LOOKED_AT)
    .find(({ command, release }) =>
      ["publish", "hf-upload", "train"].includes(command) && release !== undefined
    )
    ?.release;
}

function parseRelease(text: string): Digest {
  const result = Digest.safeParse(text.startsWith("sha256:") ? text : `sha256:${text}`);
  if (result.success) return result.data;
  throw new UsageError(
    `Cannot use --release ${text}: it ${result.error.issues[0]?.message ?? "is no digest"}`,
    {
      code: "DIGEST_INVALID",
      hint: "model-sync status --json shows a release's whole digest",
    },
  );
}

if (import.meta.main) await main(program);
