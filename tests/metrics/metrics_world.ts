import { join } from "node:path";
import { ModelSync } from "../../lib/config/schema.ts";
import type { Context } from "../../lib/core/context.ts";
import { MetricsSink } from "../../lib/metrics/metrics_sink.ts";
import { appendHistory, type RunRecord } from "../../lib/store/history.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { parseMetrics, valueOf } from "../helpers/parse_metrics.ts";
import { type TempDir, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

/** The defaults. */
export const SETTINGS = ModelSync.parse({});

/** A store, and the folder that a metrics collector reads. */
export class MetricsWorld implements Disposable {
  readonly #dir: TempDir = tempDir();
  readonly store: Store;
  readonly collected: string;

  constructor() {
    this.store = openStore(Deno, { modelsDir: join(this.#dir.path, "models") });
    this.collected = join(this.#dir.path, "textfile");
    Deno.mkdirSync(this.collected);
  }

  get root(): string {
    return this.#dir.path;
  }

  get file(): string {
    return join(this.collected, "model_sync.prom");
  }

  /** Returns the store on the file system of a context. */
  storeOf({ fs }: Pick<Context, "fs">): Store {
    return { ...this.store, fs };
  }

  /** Records successful pulls. */
  record(count: number, fields: Partial<RunRecord> = {}): void {
    for (let done = 0; done < count; done++) appendHistory(this.store, pull(fields));
  }

  /** Delivers like the end of a run. */
  async deliver(context: Context = testContext(), unwritten: readonly RunRecord[] = []): Promise<void> {
    await new MetricsSink(this.file, SETTINGS, this.storeOf(context)).deliver(context, unwritten);
  }

  /** Returns the file's count of pulls with an outcome. */
  pulls(outcome: RunRecord["outcome"] = "unchanged"): number | undefined {
    return pullsIn(this.text(), outcome);
  }

  text(): string {
    return Deno.readTextFileSync(this.file);
  }

  [Symbol.dispose](): void {
    this.#dir[Symbol.dispose]();
  }
}

export function pullsIn(text: string, outcome: RunRecord["outcome"] = "unchanged"): number | undefined {
  return valueOf(parseMetrics(text), "model_sync_runs_total", { command: "pull", outcome });
}

/** Returns a successful pull, with a test's changes. */
export function pull(fields: Partial<RunRecord> = {}): RunRecord {
  return {
    runId: crypto.randomUUID(),
    command: "pull",
    outcome: "unchanged",
    startedAt: "2026-11-29T06:00:00Z",
    durationMs: 200,
    host: "bot",
    ...fields,
  };
}
