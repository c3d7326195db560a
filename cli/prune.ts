import { freedBytes, planPrune, pruneReleases } from "../lib/pipeline/prune.ts";
import { recordedRun } from "../lib/pipeline/run.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import type { StoredRelease } from "../lib/store/releases.ts";
import { type CommonOptions, integerFrom, main, newCommand, type Session, withSession } from "./_command.ts";
import { formatBytes, plural } from "./_format.ts";
import { openExistingStore, requireStore } from "./_store.ts";

interface PruneCommandOptions extends CommonOptions {
  readonly keep?: number | undefined;
  readonly dryRun?: boolean | undefined;
}

export function command() {
  return newCommand("prune")
    .option("--keep <count>", "how many of the newest stay (default: model_sync.keep)", integerFrom(1))
    .option("--dry-run", "show what would be removed, and change nothing")
    .action((options: PruneCommandOptions) =>
      withSession(options, (session) => options.dryRun ? preview(session, options) : run(session, options))
    );
}

async function run(session: Session, options: PruneCommandOptions): Promise<void> {
  const { context, output, settings } = session;
  const store = openExistingStore(session);
  const report = await recordedRun(context, store, "prune", async () => {
    const plan = planPrune(store, options.keep ?? settings.keep);
    const bytes = freedBytes(plan);
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
  ]);
}

function preview(session: Session, options: PruneCommandOptions): Promise<void> {
  const plan = planPrune(requireStore(session), options.keep ?? session.settings.keep);
  const bytes = freedBytes(plan);
  const json = { dryRun: true, removed: names(plan.removed), kept: names(plan.kept), bytes };
  session.output.result(json, () => [
    plan.removed.length === 0
      ? `nothing to remove: the store holds ${plural(plan.kept.length, "release")}`
      : `would remove ${plural(plan.removed.length, "release")} and free ${formatBytes(bytes)}:`,
    ...plan.removed.map(({ manifest }) =>
      `  - ${shortDigest(manifest.digest)} (sequence ${manifest.sequence}, made ${manifest.createdAt})`
    ),
  ]);
  return Promise.resolve();
}

function names(releases: readonly StoredRelease[]): string[] {
  return releases.map(({ manifest }) => manifest.digest);
}

if (import.meta.main) await main(command());
