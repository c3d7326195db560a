import { freedBytes, planPrune, type PrunePlan, pruneReleases } from "../lib/pipeline/prune.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import type { ReleaseHead } from "../lib/store/releases.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import {
  narrowToReading,
  narrowToReporting,
  openExistingStore,
  requireStore,
  type Session,
} from "./_session.ts";
import { reportedRun } from "../lib/pipeline/reported_run.ts";
import { SUMMARIES } from "./_help.ts";
import { formatBytes, plural } from "../lib/core/format.ts";
import { integerOption, type Options, switchOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";

const OPTIONS = {
  keep: integerOption({
    group: "Options",
    placeholder: "COUNT",
    brief: "Number of newest releases to keep",
    standard: "model_sync.keep",
  }, 1),
  dryRun: switchOption({ group: "Options", brief: "Show what would be removed, and change nothing" }),
} satisfies Options;

type PruneFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "prune",
  command: command({
    summary: SUMMARIES.prune,
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Show what would be removed", "model-sync prune --dry-run"],
      ["Keep the three newest releases", "model-sync prune --keep 3"],
    ],
    run: (session, flags) => flags.dryRun ? preview(session, flags) : run(session, flags),
  }),
};

async function run(session: Session, flags: PruneFlags): Promise<void> {
  const { output, settings } = session;
  const keep = flags.keep ?? settings.keep;
  narrowToReporting(session);
  const store = openExistingStore(session);
  const report = await reportedRun(session, store, "prune", async (_run, context) => {
    const plan = planPrune(store, keep);
    const bytes = freedBytes(store, plan);
    await pruneReleases(context, store, plan);
    const outcome = plan.removed.length === 0 ? "unchanged" as const : "pruned" as const;
    return { outcome, changed: plan.removed.length, bytes, plan };
  });
  const { plan, bytes, outcome, durationMs, runId } = report;
  const json = { outcome, removed: names(plan.removed), kept: names(plan.kept), bytes, durationMs, runId };
  output.result(json, () => [
    `${output.paint("green", "✓")} removed ${
      plural(plan.removed.length, "release")
    }, kept ${plan.kept.length}` +
    (plan.removed.length === 0 ? "" : `; ${formatBytes(bytes)} freed`),
    ...whyKept(plan, keep),
  ]);
}

function preview(session: Session, flags: PruneFlags): Promise<void> {
  narrowToReading(session);
  const keep = flags.keep ?? session.settings.keep;
  const store = requireStore(session);
  const plan = planPrune(store, keep);
  const bytes = freedBytes(store, plan);
  const json = { dryRun: true, removed: names(plan.removed), kept: names(plan.kept), bytes };
  session.output.answer(json, () => [
    plan.removed.length === 0
      ? `nothing to remove: the store holds ${plural(plan.kept.length, "release")}`
      : `would remove ${plural(plan.removed.length, "release")} and free ${formatBytes(bytes)}:`,
    ...plan.removed.map(({ digest, sequence, createdAt }) =>
      `  - ${shortDigest(digest)} (sequence ${sequence}, created ${createdAt})`
    ),
    ...whyKept(plan, keep),
  ]);
  return Promise.resolve();
}

function whyKept({ kept }: PrunePlan, keep: number): string[] {
  if (kept.length <= keep) return [];
  return ["  the active release, the previous one and the one before a canary are always kept"];
}

function names(releases: readonly ReleaseHead[]): string[] {
  return releases.map(({ digest }) => digest);
}

if (import.meta.main) await main(program);
