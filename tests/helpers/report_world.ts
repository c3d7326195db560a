import { join } from "node:path";
import { Report, type ReportSettings } from "../../lib/config/sections/report.ts";
import type { Context } from "../../lib/core/context.ts";
import { deliverReports, type Delivery } from "../../lib/reporting/deliver_reports.ts";
import { reportingOf, RUN_BUDGET_MS } from "../../lib/reporting/report_run.ts";
import { appendHistory, type RunRecord } from "../../lib/store/history.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { DashboardServer } from "../../fakes/dashboard_server.ts";
import { QuickClock } from "./fake_clock.ts";
import { type TempDir, tempDir } from "./temp_dir.ts";
import { fixedEnvironment, type RecordedLog, testContext } from "./test_context.ts";

/** Returns the record of the run with this number. */
export function runRecordOf(number: number, changed: Partial<RunRecord> = {}): RunRecord {
  return {
    runId: `run-${number}`,
    command: "pull",
    outcome: "unchanged",
    startedAt: new Date(Date.UTC(2026, 10, 1) + number * 60_000).toISOString(),
    durationMs: 1_200,
    host: "bot-1",
    ...changed,
  };
}

/** A store whose history is reported to a dashboard on loopback. */
export class ReportWorld implements AsyncDisposable {
  readonly dashboard = new DashboardServer();
  /** Skips short waits, such as for a lock, but not the time limit of a delivery. */
  readonly clock = new QuickClock("2026-11-29T12:00:00Z", 1_000);
  readonly store: Store;
  readonly #dir: TempDir = tempDir();

  constructor() {
    this.store = openStore(Deno, { modelsDir: join(this.#dir.path, "models") });
  }

  /** Appends the runs of these numbers to the history. */
  record(...numbers: readonly number[]): void {
    for (const number of numbers) appendHistory(this.store, runRecordOf(number));
  }

  /** Does the same at once, for any file of the history. */
  recordMany(from: number, to: number, path = this.store.history): void {
    const lines = Array.from(
      { length: to - from + 1 },
      (_, index) => JSON.stringify(runRecordOf(from + index)),
    );
    Deno.writeTextFileSync(path, `${lines.join("\n")}\n`, { append: true });
  }

  settings(changed: object = {}): ReportSettings {
    return Report.parse({ url: this.dashboard.origin, ...changed });
  }

  context(replaced: Partial<Context> = {}): Context & { readonly log: RecordedLog } {
    const env = fixedEnvironment({ MODEL_SYNC_REPORT_TOKEN: this.dashboard.token });
    return testContext({ clock: this.clock, env, ...replaced });
  }

  /** Delivers like the end of a run. */
  async deliver(
    replaced: Partial<Context> = {},
    unwritten: readonly RunRecord[] = [],
    store: Store = this.store,
  ): Promise<Delivery> {
    const context = this.context(replaced);
    const reporting = reportingOf(context, store, this.settings());
    if (reporting === undefined) throw new TypeError("no dashboard");
    return await deliverReports(context, reporting, RUN_BUDGET_MS, unwritten);
  }

  /** Waits for an event on loopback or the disk while the clock stands still. */
  async until(hasHappened: () => boolean): Promise<void> {
    while (!hasHappened()) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dashboard[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}

/** Returns the ids of the final events of the runs with these numbers. */
export function finished(...numbers: readonly number[]): string[] {
  return numbers.map((number) => `run-${number}/finished`);
}

/** Does the same for a range of numbers. */
export function finishedFrom(from: number, to: number): string[] {
  return finished(...Array.from({ length: to - from + 1 }, (_, index) => from + index));
}
