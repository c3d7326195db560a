import type { Context } from "../core/context.ts";
import type { CurrentRun } from "../pipeline/current_run.ts";
import { recordedRun, type RunOptions } from "../pipeline/run.ts";
import type { RunReport } from "../pipeline/run_report.ts";
import { describeError } from "../pipeline/run_recorder.ts";
import type { Outcome, RunPullRequest } from "../store/history.ts";
import type { Store } from "../store/store.ts";
import { failuresOf } from "./sync_failures.ts";
import type { RepositoryReport, SyncReport } from "./sync_references.ts";

/**
 * Runs one sync at a time, and records it whatever its outcome. It has its own lock, so that pulls do not wait for
 * GitHub.
 *
 * @returns the sync's report; its failures are in the report and in the history
 */
export async function recordedSync(
  context: Context,
  store: Store,
  how: Pick<RunOptions, "sinks" | "waitsForLock">,
  work: (run: CurrentRun, context: Context) => Promise<SyncReport>,
): Promise<SyncReport> {
  const options = { command: "references-sync", lock: "references", ...how } as const;
  const { report } = await recordedRun(context, store, options, async (run, observed) => {
    const report = await work(run, observed);
    return { ...runReport(report), report };
  });
  return report;
}

function runReport(report: SyncReport): RunReport {
  const { repositories } = report;
  const [failure] = failuresOf(report);
  const pullRequests = repositories.flatMap(pullRequestOf);
  return {
    outcome: failure === undefined ? outcomeOf(report) : "failed",
    changed: repositories.reduce((sum, { changes }) => sum + changes, 0),
    ...(pullRequests.length === 0 ? {} : { pullRequests }),
    ...(failure === undefined ? {} : { error: describeError(failure) }),
  };
}

function outcomeOf({ repositories }: SyncReport): Outcome {
  return repositories.some((report) => report.kind === "written" || isNews(report))
    ? "proposed"
    : "unchanged";
}

/** Returns the pull request that a sync opened, changed or closed. */
function isNews(report: RepositoryReport): report is RepositoryReport & { readonly kind: "proposed" } {
  return report.kind === "proposed" && ["created", "updated", "closed"].includes(report.outcome);
}

function pullRequestOf(report: RepositoryReport): RunPullRequest[] {
  if (!isNews(report)) return [];
  const { repository, outcome, pullRequest, changes } = report;
  return [{ repository, outcome, ...pullRequest, changes }];
}
