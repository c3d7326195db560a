import { buildCommand } from "@stricli/core";
import { UsageError } from "../lib/core/errors.ts";
import { deployTargets } from "../lib/redeploy/deploy_targets.ts";
import { Digest } from "../lib/release/manifest.ts";
import { readHistory } from "../lib/store/history.ts";
import { findStore, openStore } from "../lib/store/store.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  type CommonFlags,
  defineProgram,
  type Invocation,
  main,
  type Program,
  type Session,
  switchFlag,
  textFlag,
  withSession,
} from "./_command.ts";
import {
  prepareRedeployment,
  REDEPLOY_FLAGS,
  type RedeployFlags,
  redeployJson,
  redeployLines,
  runRedeployment,
} from "./_redeploy.ts";
import { SUMMARIES } from "./_summaries.ts";

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
