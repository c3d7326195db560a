import { planRollback, rollback, type RollbackPlan, type RollbackReport } from "../lib/pipeline/rollback.ts";
import type { Timed } from "../lib/pipeline/run_report.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { formatBytes, formatDuration, plural } from "../lib/core/format.ts";
import type { QuarantineEntry } from "../lib/store/quarantine.ts";
import type { Output } from "./_output.ts";
import { reportedRun } from "../lib/pipeline/reported_run.ts";
import { safeguardsOf } from "../lib/pipeline/safeguards.ts";
import { SUMMARIES } from "./_help.ts";
import { type Options, switchOption, textOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import {
  narrowPermissions,
  narrowToReading,
  openExistingStore,
  requireStore,
  type Session,
} from "./_session.ts";

const OPTIONS = {
  to: textOption({
    group: "Options",
    placeholder: "RELEASE",
    completion: "replacements",
    brief: "Its sequence number, its digest or the digest's beginning",
    standard: "the previous release",
  }),
  force: switchOption({ group: "Safety", brief: "Activate the release even if its publisher withdrew it" }),
  dryRun: switchOption({ group: "Options", brief: "Show what would be activated, and change nothing" }),
} satisfies Options;

type RollbackFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "rollback",
  command: command({
    summary: SUMMARIES.rollback,
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Show which release would be activated", "model-sync rollback --dry-run"],
      ["Roll back to the previous release", "model-sync rollback"],
      ["Activate release number 41", "model-sync rollback --to 41"],
    ],
    run: (session, flags) => flags.dryRun ? preview(session, flags) : run(session, flags),
  }),
};

async function run(session: Session, flags: RollbackFlags): Promise<void> {
  const { output, settings } = session;
  narrowPermissions(session, []);
  const store = openExistingStore(session);
  const report = await reportedRun(
    session,
    store,
    "rollback",
    (run, observed) =>
      rollback(
        observed,
        store,
        run,
        planRollback(store, flags.to, flags.force),
        settings.activation.mode,
        safeguardsOf(settings),
      ),
  );
  output.result(rollbackJson(report), () => rollbackLines(output, report));
}

function preview(session: Session, flags: RollbackFlags): Promise<void> {
  narrowToReading(session);
  const store = requireStore(session);
  const plan = planRollback(store, flags.to, flags.force);
  session.output.answer(planJson(plan), () => planLines(session.output, plan));
  return Promise.resolve();
}

function rollbackJson(report: Timed<RollbackReport>): Record<string, unknown> {
  const {
    outcome,
    release,
    previous,
    sequence,
    files,
    bytes,
    changed,
    lifted,
    durationMs,
    modelsDir,
    runId,
  } = report;
  return {
    outcome,
    release,
    previous: previous ?? null,
    sequence,
    files,
    bytes,
    changed,
    liftedQuarantine: liftedJson(lifted),
    durationMs,
    modelsDir,
    runId,
  };
}

function liftedJson(lifted: QuarantineEntry | undefined): Record<string, unknown> | null {
  return lifted === undefined ? null : { reason: lifted.reason, at: lifted.at };
}

const OUTCOME_WORDS = {
  "rolled-back": "rolled back to",
  activated: "activated",
  unchanged: "already active:",
} as const satisfies Record<RollbackReport["outcome"], string>;

function rollbackLines(output: Output, report: Timed<RollbackReport>): string[] {
  const { outcome, release, previous, sequence, files, bytes, changed, lifted, durationMs } = report;
  const lines = [
    `${output.paint("green", "✓")} ${OUTCOME_WORDS[outcome]} release ${
      output.paint("bold", shortDigest(release))
    } (sequence ${sequence})`,
    `  ${plural(files, "file")}, ${formatBytes(bytes)}; ${changed} changed, in ${formatDuration(durationMs)}`,
  ];
  if (lifted !== undefined) lines.push(`  it is no longer quarantined: ${quarantineWords(lifted)}`);
  if (outcome === "rolled-back" && previous !== undefined) {
    lines.push(
      `  release ${shortDigest(previous)} is quarantined: pulls refuse it`,
      `  activate it again with: model-sync rollback --to ${shortDigest(previous)}`,
    );
  }
  return lines;
}

function planJson(plan: RollbackPlan): Record<string, unknown> {
  const { outcome, from, target, lifted, changed } = plan;
  const { digest, sequence } = target.manifest;
  return {
    dryRun: true,
    outcome,
    release: digest,
    previous: from ?? null,
    sequence,
    changed,
    liftedQuarantine: liftedJson(lifted),
  };
}

function planLines(output: Output, plan: RollbackPlan): string[] {
  const { outcome, from, target, lifted, changed } = plan;
  const { digest, sequence, createdAt } = target.manifest;
  const lift = lifted === undefined
    ? []
    : [`  it would be no longer quarantined: ${quarantineWords(lifted)}`];
  if (outcome === "unchanged") {
    const rest = lifted === undefined ? "nothing to do: " : "";
    return [`${rest}release ${shortDigest(digest)} is active already`, ...lift];
  }
  const quarantined = outcome !== "rolled-back" || from === undefined
    ? ""
    : `, and quarantine ${shortDigest(from)}`;
  return [
    `would activate release ${
      output.paint("bold", shortDigest(digest))
    } (sequence ${sequence}, created ${createdAt})${quarantined}`,
    `  ${plural(changed, "file")} changed`,
    ...lift,
  ];
}

function quarantineWords({ at, reason }: QuarantineEntry): string {
  return `it was since ${at} (${reason})`;
}

if (import.meta.main) await main(program);
