import { type PublishPlan } from "../lib/carriers/git_publish_plan.ts";
import {
  planPublish,
  type PublishChoices,
  type RecordedPublish,
  recordedPublish,
} from "../lib/pipeline/recorded_publish.ts";
import { countChanges } from "../lib/release/changes.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import type { Output } from "./_output.ts";
import { changeLines } from "./_previewed_changes.ts";
import { GIT_OPTIONS, PUBLISHING_OPTIONS, TRAINING_OPTIONS, trainingOptions } from "./_options.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { narrowPermissions, type Session } from "./_session.ts";
import { formatBytes, formatDuration, plural } from "../lib/core/format.ts";
import { SUMMARIES } from "./_help.ts";
import { type Options, switchOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";

const OPTIONS = {
  ...GIT_OPTIONS,
  ...TRAINING_OPTIONS,
  ...PUBLISHING_OPTIONS,
  dryRun: switchOption({ group: "Options", brief: "Show what would be published, and change nothing" }),
} satisfies Options;

export type PublishFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "publish",
  command: command({
    summary: SUMMARIES.publish,
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Show what would be published", "model-sync publish --dry-run"],
      ["Train, then publish", "model-sync publish --commit-message 'daily refresh'"],
      ["Publish without training", "model-sync publish --skip-training"],
    ],
    run: (session, flags) => flags.dryRun ? previewPublish(session, flags) : runPublish(session, flags),
  }),
};

/** Publishes as a recorded run, and prints the result. */
export async function runPublish(session: Session, flags: PublishFlags): Promise<void> {
  const { output } = session;
  narrowPermissions(session, ["run"]);
  const report = await recordedPublish(session, publishChoices(flags), (chunk) => output.passThrough(chunk));
  output.result(publishJson(report), () => publishLines(output, report));
}

async function previewPublish(session: Session, flags: PublishFlags): Promise<void> {
  const { output } = session;
  const { plan, trainCommand, bytes } = await planPublish(session, publishChoices(flags));
  const json = { dryRun: true, carrier: "git", trainCommand, bytes, ...plan };
  output.answer(json, () => planLines(output, plan, trainCommand));
}

/** Returns what the options of a publish say. */
export function publishChoices(flags: PublishFlags): PublishChoices {
  return {
    skipsTraining: flags.skipTraining === true,
    training: trainingOptions(flags),
    allowDirtyWorktree: flags.allowDirtyWorktree === true,
    allowShrink: flags.allowShrink === true,
    commitMessage: flags.commitMessage,
  };
}

function publishJson(report: RecordedPublish): Record<string, unknown> {
  const { outcome, release, previous, sequence, files, bytes, changed, durationMs, publication, runId } =
    report;
  const { committed, pushed, branch, remote, commit, otherWriters } = publication;
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
    committed,
    pushed,
    branch,
    remote,
    commit: commit ?? null,
    ...(otherWriters.length === 0 ? {} : { otherWriters }),
    runId,
  };
}

function publishLines(output: Output, report: RecordedPublish): string[] {
  const { outcome, release, sequence, files, bytes, changed, durationMs, publication } = report;
  const name = `${output.paint("bold", shortDigest(release))} (sequence ${sequence})`;
  const size = `  ${plural(files, "file")}, ${formatBytes(bytes)}`;
  const target = `${publication.remote}/${publication.branch}`;
  if (outcome === "unchanged") {
    return [`${output.paint("green", "✓")} unchanged: ${target} holds release ${name} already`, size];
  }
  const removed = publication.removed === 0 ? "" : ` (${publication.removed} removed)`;
  const what = publication.committed
    ? `${changed} changed${removed}, pushed`
    : "an earlier commit was pushed";
  return [
    `${output.paint("green", "✓")} published release ${name}`,
    size,
    `  ${what} to ${target} as ${publication.commit?.slice(0, 12)}, in ${formatDuration(durationMs)}`,
    ...publication.otherWriters.map(({ commit, author, subject }) =>
      `  over commit ${commit.slice(0, 12)} ("${subject}", by ${author}), which model-sync did not publish`
    ),
  ];
}

function planLines(output: Output, plan: PublishPlan, command: readonly string[] | null): string[] {
  const target = `${plan.remote}/${plan.branch}`;
  const trained = command === null
    ? []
    : [`would train first: ${command.join(" ")}`, "and then, if the training changes nothing:"];
  if (plan.outcome === "unchanged") {
    return [...trained, `nothing to publish: ${target} holds these models already`];
  }
  return [
    ...trained,
    `would publish release ${
      output.paint("bold", shortDigest(plan.release))
    } (sequence ${plan.sequence}) to ${target}, ` +
    `${plural(countChanges(plan.changes), "file")} changed:`,
    ...changeLines(output, plan.changes),
    ...(plan.lfs.length === 0 ? [] : [`  ${plural(plan.lfs.length, "file")} through Git LFS`]),
  ];
}

if (import.meta.main) await main(program);
