import { join } from "node:path";
import { GitSource, type GitSourceOptions } from "../lib/carriers/git_source.ts";
import { gitRegistrySettings } from "../lib/carriers/git_settings.ts";
import { ifFound, removeTree } from "../lib/core/files.ts";
import { planPull, pull, type PullPlan, type PullReport } from "../lib/pipeline/pull.ts";
import { recordedRun, type Timed } from "../lib/pipeline/run.ts";
import { countChanges } from "../lib/release/changes.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { findStore, openStore } from "../lib/store/store.ts";
import { changeLines } from "./_changes.ts";
import { type CommonOptions, main, newCommand, type Session, withSession } from "./_command.ts";
import { formatBytes, formatDuration, plural } from "./_format.ts";
import { type GitOptions, withGitOptions } from "./_git_options.ts";
import type { Output } from "./_output.ts";

export interface PullCommandOptions extends CommonOptions, GitOptions {
  readonly allowDowngrade?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly resetToRemote?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

export function command() {
  return withGitOptions(newCommand("pull"))
    .option("--allow-downgrade", "take a release that is older than the active one")
    .option("--force", "take a quarantined release, and stage an unchanged one again")
    .option(
      "--reset-to-remote",
      "follow a branch that was force-pushed or diverged, giving up the clone's own",
    )
    .option("--dry-run", "show what would change, and change nothing")
    .action((options: PullCommandOptions) =>
      withSession(
        options,
        (session) => options.dryRun ? previewPull(session, options) : runPull(session, options),
      )
    );
}

/** One pull, recorded and shown. */
export async function runPull(session: Session, options: PullCommandOptions): Promise<void> {
  const { context, output, settings, location } = session;
  const store = openStore(context.fs, location);
  const report = await recordedRun(context, store, "pull", async (run) => {
    await using source = new GitSource(context, {
      ...sourceOptions(session, options, store.root),
      scratch: join(store.staging, `${run.runId}-objects`),
      owner: { ...run, host: context.host },
    }, store);
    return await pull(context, store, source, run, {
      allowDowngrade: options.allowDowngrade === true,
      force: options.force === true,
      activation: settings.activation.mode,
      keep: settings.keep,
    });
  });
  output.result(pullJson(report), () => pullLines(output, report));
}

/** What a pull would do, found out without a trace: a missing clone is made elsewhere and thrown away. */
async function previewPull(session: Session, options: PullCommandOptions): Promise<void> {
  const { context, output, location } = session;
  const store = findStore(context.fs, location);
  const scratch = Deno.makeTempDirSync({ prefix: "model-sync-dry-run-" });
  try {
    const common = sourceOptions(session, options, store?.root ?? scratch);
    const { repoDir, repoUrl } = common.registry;
    const isMissing = repoUrl !== undefined && ifFound(() => context.fs.statSync(repoDir)) === undefined;
    await using source = new GitSource(context, {
      ...common,
      registry: { ...common.registry, repoDir: isMissing ? join(scratch, "clone") : repoDir },
      scratch: join(scratch, "objects"),
      owner: "unlocked",
    }, store);
    const plan = await planPull(store, source, {
      allowDowngrade: options.allowDowngrade === true,
      force: options.force === true,
    });
    output.result({ dryRun: true, carrier: "git", ...plan }, () => planLines(output, plan));
  } finally {
    await removeTree(context.fs, scratch);
  }
}

function sourceOptions(
  session: Session,
  options: PullCommandOptions,
  stateDir: string,
): Omit<GitSourceOptions, "scratch" | "owner"> {
  const { settings, context } = session;
  return {
    registry: gitRegistrySettings(settings, context.env, stateDir),
    subdir: settings.repo_models_subdir,
    allowDirtyWorktree: options.allowDirtyWorktree === true,
    allowDowngrade: options.allowDowngrade === true,
    resetToRemote: options.resetToRemote === true,
  };
}

function pullJson(report: Timed<PullReport>): Record<string, unknown> {
  const { outcome, release, previous, sequence, files, bytes, changed, writtenBytes, durationMs } = report;
  const { carrier, revision, modelsDir, runId } = report;
  return {
    outcome,
    release,
    previous: previous ?? null,
    sequence,
    files,
    bytes,
    changed,
    writtenBytes,
    durationMs,
    carrier,
    revision,
    modelsDir,
    runId,
  };
}

function pullLines(output: Output, report: Timed<PullReport>): string[] {
  const { outcome, release, previous, sequence, files, bytes, changed, writtenBytes, durationMs } = report;
  const what = outcome === "activated" ? "activated release" : "unchanged, active release";
  const lines = [
    `${output.paint("green", "✓")} ${what} ${
      output.paint("bold", shortDigest(release))
    } (sequence ${sequence})`,
    `  ${plural(files, "file")}, ${formatBytes(bytes)} in ${report.modelsDir}`,
  ];
  if (outcome === "activated") {
    lines.push(
      `  ${changed} changed, ${formatBytes(writtenBytes)} written, in ${formatDuration(durationMs)}`,
      ...(previous === undefined
        ? []
        : [`  go back with: model-sync rollback   (to ${shortDigest(previous)})`]),
    );
  }
  return lines;
}

function planLines(output: Output, plan: PullPlan): string[] {
  const name = plan.release === undefined
    ? `revision ${plan.revision.slice(0, 12)}, which has no manifest`
    : `release ${shortDigest(plan.release)} (sequence ${plan.sequence})`;
  if (plan.outcome === "unchanged") return [`nothing to do: ${name} is active already`];
  return [
    `would activate ${output.paint("bold", name)}, ${plural(countChanges(plan.changes), "file")} changed:`,
    ...changeLines(output, plan.changes),
  ];
}

if (import.meta.main) await main(command());
