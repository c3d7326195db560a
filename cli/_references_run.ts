import { join } from "node:path";
import { isoSeconds } from "../lib/core/clock.ts";
import { acquireLock } from "../lib/core/lock.ts";
import { describeError, outcomeOf } from "../lib/pipeline/run.ts";
import type { SyncReport } from "../lib/references/sync_references.ts";
import { appendHistory, type Outcome } from "../lib/store/history.ts";
import { newRunId } from "../lib/store/run_id.ts";
import { openStore } from "../lib/store/store.ts";
import type { Session } from "./_command.ts";
import { failuresOf } from "./_references_report.ts";
import { tell } from "./_run.ts";

/** One sync at a time, with a line in the history whatever its outcome. */
export async function recordedSync(session: Session, work: () => Promise<SyncReport>): Promise<SyncReport> {
  const { context, settings, location } = session;
  const { clock, host } = context;
  const store = openStore(context.fs, location, context.log);
  const run = { runId: newRunId(context), command: "references-sync", startedAt: isoSeconds(clock.now()) };
  const startedMs = clock.monotonicMs();
  // Not the store's own: a pull need not wait for GitHub.
  using _lock = await acquireLock(context.fs, join(store.root, "references.lock"), { ...run, host }, clock);
  const record = async (outcome: Outcome, changed: number | undefined, error: unknown) => {
    const line = {
      ...run,
      outcome,
      host,
      durationMs: Math.round(clock.monotonicMs() - startedMs),
      ...(changed === undefined ? {} : { changed }),
      ...(error === undefined ? {} : { error: describeError(error) }),
    };
    appendHistory(store, line);
    await tell(context, settings.alerts, store, line);
  };
  let report: SyncReport;
  try {
    report = await work();
  } catch (error) {
    await record(outcomeOf(error), undefined, error);
    throw error;
  }
  const [failure] = failuresOf(report);
  const changed = report.repositories.reduce((sum, { changes }) => sum + changes, 0);
  await record(failure === undefined ? outcomeOfReport(report) : "failed", changed, failure);
  return report;
}

function outcomeOfReport({ repositories }: SyncReport): Outcome {
  const isNews = repositories.some((repository) =>
    repository.kind === "written" ||
    (repository.kind === "proposed" && ["created", "updated", "closed"].includes(repository.outcome))
  );
  return isNews ? "proposed" : "unchanged";
}
