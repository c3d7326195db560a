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
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import type { Session } from "./_session.ts";
import { formatDuration } from "../lib/core/format.ts";
import type { Output } from "./_output.ts";
import { SUMMARIES } from "./_help.ts";
import { type Flags, integerOption, type Options, switchOption, textOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";

const BACKEND = "Backend";

/** Options of every command that redeploys. */
export const REDEPLOY_OPTIONS = {
  wait: switchOption({ group: BACKEND, brief: "Wait until the backend reports the release" }),
  revertOnFailure: switchOption({
    group: BACKEND,
    brief: "Redeploy the previous release if the wait fails",
    note: "published to Hugging Face again; exit code 8",
  }),
  verifyUrl: textOption({
    group: BACKEND,
    placeholder: "URL",
    brief: "Address where the backend reports its release",
    setting: "redeploy.verify_url",
  }),
  verifyField: textOption({
    group: BACKEND,
    placeholder: "PATH",
    brief: "Field with the digest, a dotted path",
    setting: "redeploy.verify_field",
    standard: "release, digest or current.digest",
  }),
  waitTimeoutSec: integerOption({
    group: BACKEND,
    placeholder: "SECONDS",
    brief: "Time limit of the wait",
    setting: "redeploy.wait_timeout_sec",
    standard: 900,
  }, 1),
} satisfies Options;

export type RedeployFlags = Flags<typeof REDEPLOY_OPTIONS>;

/** Returns what the options say about waiting and reverting. */
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

const OPTIONS = {
  release: textOption({
    group: "Options",
    placeholder: "DIGEST",
    brief: "Release that the backend has to report",
    standard: "the last one published from this machine",
  }),
  dryRun: switchOption({ group: "Options", brief: "Show which deployments would be started; start none" }),
  ...REDEPLOY_OPTIONS,
} satisfies Options;

export const program: Program = {
  name: "redeploy",
  command: command({
    summary: SUMMARIES.redeploy,
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Show which deployments would be started", "model-sync redeploy --dry-run"],
      ["Deploy, and wait until the backend serves the release", "model-sync redeploy --wait"],
    ],
    run: (session, flags) => flags.dryRun ? Promise.resolve(preview(session)) : run(session, flags),
  }),
};

async function run(session: Session, flags: CommandFlags<typeof OPTIONS>): Promise<void> {
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
    `Cannot use --release ${text}: it ${result.error.issues[0]?.message ?? "is not a digest"}`,
    {
      code: "DIGEST_INVALID",
      hint: "model-sync status --json shows a release's whole digest",
    },
  );
}

if (import.meta.main) await main(program);
