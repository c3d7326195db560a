import type { UploadPreview } from "../lib/carriers/huggingface_preview.ts";
import { UsageError } from "../lib/core/errors.ts";
import {
  planUpload,
  type RecordedUpload,
  recordedUpload,
  type UploadChoices,
} from "../lib/pipeline/recorded_upload.ts";
import { countChanges } from "../lib/release/changes.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { refuseMissingModels } from "../lib/release/model_set.ts";
import { openStore } from "../lib/store/store.ts";
import type { Output } from "./_output.ts";
import { changeLines } from "./_previewed_changes.ts";
import { HUB_OPTIONS, PUBLISHING_OPTIONS } from "./_options.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { narrowPermissions, type Session } from "./_session.ts";
import { formatBytes, formatDuration, plural } from "../lib/core/format.ts";
import { prepareRedeployment, recordedRedeployment } from "../lib/redeploy/prepare_redeployment.ts";
import { REDEPLOY_OPTIONS, redeployChoices, redeployJson, redeployLines } from "./redeploy.ts";
import { SUMMARIES } from "./_help.ts";
import { type Options, switchOption, textOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";

const OPTIONS = {
  ...HUB_OPTIONS,
  ...PUBLISHING_OPTIONS,
  commitMessage: textOption({
    group: "Options",
    placeholder: "TEXT",
    brief: "Commit message",
    standard: "the time, or the commit of GitHub Actions",
  }),
  dryRun: switchOption({ group: "Options", brief: "Show what would be uploaded, and change nothing" }),
  private: switchOption({
    group: "Hugging Face",
    brief: "Create the repository as a private one",
    setting: "huggingface.private",
  }),
  createPr: switchOption({
    group: "Hugging Face",
    brief: "Open a pull request instead of moving the branch",
  }),
  deleteRemoved: switchOption({
    group: "Hugging Face",
    brief: "Delete repository files that the model folder lacks",
    setting: "huggingface.delete_removed",
  }),
  redeploy: switchOption({
    group: "Backend",
    brief: "Then trigger the deploy hooks, like model-sync redeploy",
  }),
  ...REDEPLOY_OPTIONS,
} satisfies Options;

export type HfUploadFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "hf-upload",
  command: command({
    summary: SUMMARIES["hf-upload"],
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Show what would be uploaded", "model-sync hf-upload --repo-id you/models --dry-run"],
      ["Upload, deploy, and wait for the backend", "model-sync hf-upload --redeploy --wait"],
      ["Propose the models as a pull request", "model-sync hf-upload --create-pr"],
    ],
    run: (session, flags) => flags.dryRun ? previewHfUpload(session, flags) : runHfUpload(session, flags),
  }),
};

/** Uploads as a recorded run, redeploys where the options say so, and prints the result. */
async function runHfUpload(session: Session, flags: HfUploadFlags): Promise<void> {
  const { context, output, location } = session;
  narrowPermissions(session, ["net"]);
  if (flags.createPr && (flags.redeploy || flags.wait || flags.revertOnFailure)) {
    throw new UsageError("Cannot redeploy with --create-pr: the branch holds the release once it is merged", {
      code: "NOT_MERGED",
      hint: "leave out --redeploy; run model-sync redeploy after the merge",
    });
  }
  const redeploy = flags.redeploy || flags.wait || flags.revertOnFailure
    ? await prepareRedeployment(session, redeployChoices(flags))
    : undefined;
  // A mistyped folder must not get a store.
  refuseMissingModels(context, location.modelsDir);
  const store = openStore(context.fs, location, context.log);
  const report = await recordedUpload(session, store, choices(flags));
  const redeployed = redeploy && await recordedRedeployment(session, store, redeploy, report.release);
  const json = redeployed === undefined ? {} : redeployJson(redeployed);
  output.result({ ...uploadJson(report), ...json }, () => [
    ...uploadLines(output, report),
    ...(redeployed === undefined ? [] : redeployLines(output, redeployed)),
  ]);
}

async function previewHfUpload(session: Session, flags: HfUploadFlags): Promise<void> {
  const { output } = session;
  const { preview, bytes } = await planUpload(session, choices(flags));
  const json = { dryRun: true, carrier: "huggingface", bytes, ...preview };
  output.answer({ ...json, missing: preview.missing ?? null }, () => previewLines(output, preview));
}

function choices(flags: HfUploadFlags): UploadChoices {
  return {
    allowShrink: flags.allowShrink === true,
    commitMessage: flags.commitMessage,
    asPullRequest: flags.createPr === true,
  };
}

function uploadJson(report: RecordedUpload): Record<string, unknown> {
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

function uploadLines(output: Output, report: RecordedUpload): string[] {
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
    ...(pullRequestUrl === undefined ? [] : [`  merge it: ${pullRequestUrl}`]),
  ];
}

function previewLines(output: Output, preview: UploadPreview): string[] {
  const { repoId, branch, missing, changes } = preview;
  const target = `${repoId} ${branch}`;
  if (preview.outcome === "unchanged") return [`nothing to upload: ${target} holds these models already`];
  const created = missing === undefined ? [] : [`would create the ${missing} first`];
  return [
    ...created,
    `would publish release ${
      output.paint("bold", shortDigest(preview.release))
    } (sequence ${preview.sequence}) to ${target}, ` +
    `${plural(countChanges(changes), "file")} changed:`,
    ...changeLines(output, changes),
  ];
}

if (import.meta.main) await main(program);
