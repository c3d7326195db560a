import { buildCommand, type FlagParametersForType } from "@stricli/core";
import { UsageError } from "../lib/core/errors.ts";
import { deployTargets } from "../lib/redeploy/deploy_targets.ts";
import {
  lastPublished,
  prepareRedeployment,
  recordedRedeployment,
  type RedeployChoices,
} from "../lib/redeploy/prepare_redeployment.ts";
import type { RedeployReport } from "../lib/redeploy/redeploy.ts";
import { Digest, shortDigest } from "../lib/release/manifest.ts";
import { findStore, openStore } from "../lib/store/store.ts";
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
import type { Output } from "./_output.ts";
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

/** Returns what the options say of waiting and reverting. */
export function redeployChoices(flags: RedeployFlags): RedeployChoices {
  return { waits: flags.wait === true, revertsOnFailure: flags.revertOnFailure === true };
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
  const { context: { fs, log }, output, location } = session;
  const release = flags.release === undefined ? publishedHere(session) : parseRelease(flags.release);
  const begin = await prepareRedeployment(session, redeployChoices(flags));
  const report = await recordedRedeployment(session, openStore(fs, location, log), begin, release);
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

function publishedHere({ context, location }: Session): Digest | undefined {
  const store = findStore(context.fs, location, context.log);
  return store === undefined ? undefined : lastPublished(store);
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
