import { repoLayout } from "../lib/huggingface/hub_settings.ts";
import { buildCommand } from "@stricli/core";
import {
  type HuggingFacePublication,
  HuggingFacePublisher,
  type HuggingFacePublisherOptions,
  type UploadPreview,
} from "../lib/carriers/huggingface_publisher.ts";
import { UsageError } from "../lib/core/errors.ts";
import { hubSettings } from "../lib/huggingface/hub_settings.ts";
import { isWanted } from "../lib/huggingface/repo_layout.ts";
import { publish, type PublishReport } from "../lib/pipeline/publish.ts";
import type { Timed } from "../lib/pipeline/run_report.ts";
import { countChanges } from "../lib/release/changes.ts";
import { shortDigest, totalBytes } from "../lib/release/manifest.ts";
import { NO_CACHE, NO_FOLDER_MEMORY, readModelSet, refuseMissingModels } from "../lib/release/model_set.ts";
import { StatCache } from "../lib/store/stat_cache.ts";
import { findStore, openStore } from "../lib/store/store.ts";
import { changeLines, type Output } from "./_output.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  type CommonFlags,
  HUB_FLAGS,
  type HubFlags,
  switchFlag,
  textFlag,
} from "./_options.ts";
import { defineProgram, type Invocation, main, type Program, withSession } from "./_command.ts";
import type { Session } from "./_session.ts";
import { formatBytes, formatDuration, plural } from "../lib/core/format.ts";
import {
  prepareRedeployment,
  REDEPLOY_FLAGS,
  type RedeployFlags,
  redeployJson,
  redeployLines,
  runRedeployment,
} from "./redeploy.ts";
import { releaseSeal, runRecorded } from "./_run.ts";
import { SUMMARIES } from "./_help.ts";

export interface HfUploadFlags extends CommonFlags, HubFlags, RedeployFlags {
  readonly redeploy?: boolean;
  readonly private?: boolean;
  readonly commitMessage?: string;
  readonly deleteRemoved?: boolean;
  readonly createPr?: boolean;
  readonly allowShrink?: boolean;
  readonly xet?: boolean;
  readonly dryRun?: boolean;
}

export const program: Program = defineProgram(
  "hf-upload",
  buildCommand<HfUploadFlags, [], Invocation>({
    docs: { brief: SUMMARIES["hf-upload"] },
    parameters: {
      flags: {
        ...COMMON_FLAGS,
        ...HUB_FLAGS,
        private: switchFlag("create the repository as a private one"),
        commitMessage: textFlag("commit message (default: the time, or the commit of GitHub Actions)"),
        deleteRemoved: switchFlag("remove files from the repository that the models folder no longer has"),
        createPr: switchFlag("open a pull request on the hub instead of moving the branch"),
        allowShrink: switchFlag("accept that more than half of the published files disappear"),
        xet: switchFlag("upload by Xet instead of LFS: fewer bytes, several times the memory"),
        redeploy: switchFlag("then trigger the deploy hooks, as model-sync redeploy does"),
        ...REDEPLOY_FLAGS,
        dryRun: switchFlag("show what would be uploaded, and change nothing"),
      },
      aliases: COMMON_ALIASES,
    },
    func: withSession((session, flags) =>
      flags.dryRun ? previewHfUpload(session, flags) : runHfUpload(session, flags)
    ),
  }),
);

/** One upload, recorded and shown. */
export async function runHfUpload(session: Session, flags: HfUploadFlags): Promise<void> {
  const { context, output, location, settings } = session;
  const layout = repoLayout(settings);
  if (flags.createPr && (flags.redeploy || flags.wait || flags.revertOnFailure)) {
    throw new UsageError("Cannot redeploy with --create-pr: the branch holds the release once it is merged", {
      code: "NOT_MERGED",
      hint: "leave out --redeploy; run model-sync redeploy after the merge",
    });
  }
  const redeploy = flags.redeploy || flags.wait || flags.revertOnFailure
    ? await prepareRedeployment(session, flags)
    : undefined;
  // Before a store is made beside a mistyped name.
  refuseMissingModels(context, location.modelsDir);
  const store = openStore(context.fs, location, context.log);
  const report = await runRecorded(session, store, "hf-upload", async (run, observed) => {
    const options = { ...publisherOptions(session, flags), seal: await releaseSeal(session) };
    return await publish(
      observed,
      store,
      run,
      NO_FOLDER_MEMORY,
      () => HuggingFacePublisher.open(observed, store, options),
      (path) => isWanted(layout, path),
    );
  });
  const redeployed = redeploy && await runRedeployment(session, store, redeploy, report.release);
  const json = redeployed === undefined ? {} : redeployJson(redeployed);
  output.result({ ...uploadJson(report), ...json }, () => [
    ...uploadLines(output, report),
    ...(redeployed === undefined ? [] : redeployLines(output, redeployed)),
  ]);
}

async function previewHfUpload(session: Session, flags: HfUploadFlags): Promise<void> {
  const { context, output, location, settings } = session;
  const options = { ...publisherOptions(session, flags), seal: await releaseSeal(session) };
  const layout = repoLayout(settings);
  const store = findStore(context.fs, location, context.log);
  const cache = store === undefined ? NO_CACHE : StatCache.ofPublished(store);
  const isOurs = (path: string) => isWanted(layout, path);
  const set = await readModelSet(context, location.modelsDir, cache, NO_FOLDER_MEMORY, isOurs);
  const preview = await HuggingFacePublisher.preview(context, options, set);
  const json = { dryRun: true, carrier: "huggingface", bytes: totalBytes(set.files), ...preview };
  output.answer({ ...json, missing: preview.missing ?? null }, () => previewLines(output, preview));
}

function publisherOptions({ settings, context }: Session, flags: HfUploadFlags): HuggingFacePublisherOptions {
  const { delete_removed, private: isPrivate, xet } = settings.huggingface;
  return {
    hub: hubSettings(settings, context),
    rules: {
      layout: repoLayout(settings),
      deleteRemoved: delete_removed,
      allowShrink: flags.allowShrink === true,
    },
    isPrivate,
    commitMessage: flags.commitMessage,
    asPullRequest: flags.createPr === true,
    useXet: xet,
  };
}

type Report = Timed<PublishReport & { readonly publication: HuggingFacePublication }>;

function uploadJson(report: Report): Record<string, unknown> {
  const { outcome, release, previous, sequence, files, bytes, changed, durationMs, publication, runId } =
    report;
  const { repoId, branch, commit, pullRequestUrl } = publication;
  return {
    outcome,
    release,
    previous: previous ?? null,
    sequence,
    files,
    bytes,
    changed,
    durationMs,
    carrier: report.carrier,
    repoId,
    branch,
    commit,
    pullRequestUrl: pullRequestUrl ?? null,
    runId,
  };
}

function uploadLines(output: Output, report: Report): string[] {
  const { outcome, release, sequence, files, bytes, changed, durationMs, publication } = report;
  const { repoId, branch, commit, pullRequestUrl } = publication;
  const name = `${output.paint("bold", shortDigest(release))} (sequence ${sequence})`;
  const size = `  ${plural(files, "file")}, ${formatBytes(bytes)}`;
  if (outcome === "unchanged") {
    return [
      `${output.paint("green", "✓")} unchanged: ${repoId} ${branch} holds release ${name} already`,
      size,
    ];
  }
  const what = pullRequestUrl === undefined ? "published" : "proposed";
  return [
    `${output.paint("green", "✓")} ${what} release ${name}`,
    size,
    `  ${changed} changed, to ${repoId} ${branch} as ${commit.slice(0, 12)}, in ${
      formatDuration(durationMs)
    }`,
    ...(pullRequestUrl === undefined ? [] : [`  waits to be merged: ${pullRequestUrl}`]),
  ];
}

function previewLines(output: Output, preview: UploadPreview): string[] {
  const { repoId, branch, missing, changes } = preview;
  const target = `${repoId} ${branch}`;
  if (preview.outcome === "unchanged") return [`nothing to upload: ${target} holds these models already`];
  const made = missing === undefined ? [] : [`would make the ${missing} first`];
  return [
    ...made,
    `would publish release ${
      output.paint("bold", shortDigest(preview.release))
    } (sequence ${preview.sequence}) to ${target}, ` +
    `${plural(countChanges(changes), "file")} changed:`,
    ...changeLines(output, changes),
  ];
}

if (import.meta.main) await main(program);
