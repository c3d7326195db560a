import { buildCommand } from "@stricli/core";
import { join } from "node:path";
import { GitSource, type GitSourceOptions } from "../lib/carriers/git_source.ts";
import { gitRegistrySettings } from "../lib/carriers/git_settings.ts";
import { removeTree } from "../lib/core/files.ts";
import { planPull, pull, type PullPlan, type PullReport } from "../lib/pipeline/pull.ts";
import { recordedRun, type Timed } from "../lib/pipeline/run.ts";
import { countChanges } from "../lib/release/changes.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { findStore, openStore, stateDirOf } from "../lib/store/store.ts";
import { changeLines } from "./_changes.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  type CommonFlags,
  defineProgram,
  main,
  type Program,
  type Session,
  switchFlag,
  withSession,
} from "./_command.ts";
import { formatBytes, formatDuration, plural } from "./_format.ts";
import { GIT_FLAGS, type GitFlags } from "./_git_flags.ts";
import type { Output } from "./_output.ts";
import { SUMMARIES } from "./_summaries.ts";

export interface PullFlags extends CommonFlags, GitFlags {
  readonly allowDowngrade?: boolean;
  readonly force?: boolean;
  readonly resetToRemote?: boolean;
  readonly dryRun?: boolean;
}

export const program: Program = defineProgram(
  "pull",
  buildCommand<PullFlags>({
    docs: { brief: SUMMARIES.pull },
    parameters: {
      flags: {
        ...COMMON_FLAGS,
        ...GIT_FLAGS,
        allowDowngrade: switchFlag("take a release that is older than the active one"),
        force: switchFlag("take a quarantined release, and stage an unchanged one again"),
        resetToRemote: switchFlag(
          "follow a branch that was force-pushed or diverged, giving up the clone's own",
        ),
        dryRun: switchFlag("show what would change, and change nothing"),
      },
      aliases: COMMON_ALIASES,
    },
    func: (flags) =>
      withSession(flags, (session) => flags.dryRun ? previewPull(session, flags) : runPull(session, flags)),
  }),
);

/** One pull, recorded and shown. */
export async function runPull(session: Session, flags: PullFlags): Promise<void> {
  const { context, output, settings, location } = session;
  const store = openStore(context.fs, location);
  const report = await recordedRun(context, store, "pull", async (run) => {
    await using source = new GitSource(context, {
      ...sourceOptions(session, flags, store.root),
      scratch: join(store.staging, `${run.runId}-objects`),
      owner: { ...run, host: context.host },
    }, store);
    return await pull(context, store, source, run, {
      allowDowngrade: flags.allowDowngrade === true,
      force: flags.force === true,
      activation: settings.activation.mode,
      keep: settings.keep,
    });
  });
  output.result(pullJson(report), () => pullLines(output, report));
}

/** What a pull would do, found out without a trace: a missing clone is made elsewhere and thrown away. */
async function previewPull(session: Session, flags: PullFlags): Promise<void> {
  const { context, output, location } = session;
  const store = findStore(context.fs, location);
  const scratch = Deno.makeTempDirSync({ prefix: "model-sync-dry-run-" });
  try {
    await using source = new GitSource(context, {
      ...sourceOptions(session, flags, stateDirOf(location)),
      scratch,
      owner: "unlocked",
    }, store);
    const plan = await planPull(store, source, {
      allowDowngrade: flags.allowDowngrade === true,
      force: flags.force === true,
    });
    output.result({ dryRun: true, carrier: "git", ...plan }, () => planLines(output, plan));
  } finally {
    await removeTree(context.fs, scratch);
  }
}

function sourceOptions(
  session: Session,
  flags: PullFlags,
  stateDir: string,
): Omit<GitSourceOptions, "scratch" | "owner"> {
  const { settings, context } = session;
  return {
    registry: gitRegistrySettings(settings, context.env, stateDir),
    subdir: settings.repo_models_subdir,
    allowDirtyWorktree: flags.allowDirtyWorktree === true,
    allowDowngrade: flags.allowDowngrade === true,
    resetToRemote: flags.resetToRemote === true,
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

if (import.meta.main) await main(program);
