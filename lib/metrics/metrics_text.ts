import { runFamilies } from "./run_families.ts";
import type { RunTotals } from "./run_totals.ts";
import { type ShownStatus, statusFamilies } from "./status_families.ts";
import { type Family, textFormat } from "./text_format.ts";

/** The versions of the program that exposes metrics. */
export interface Build {
  readonly version: string;
  /** The version of the runtime. */
  readonly deno: string;
}

/** The inputs of a store's metrics. */
export interface MetricsSource {
  /** The folder of the store: a label of every series, because stores on one machine share a collector's folder. */
  readonly store: string;
  readonly build: Build;
  readonly totals: RunTotals;
  /** `undefined` where the status cannot be read. */
  readonly status?: ShownStatus | undefined;
}

/** Returns the metrics of a store in Prometheus' text format. */
export function metricsText({ store, build, totals, status }: MetricsSource): string {
  const families = [
    buildFamily(build),
    ...(status === undefined ? [] : statusFamilies(status)),
    ...runFamilies(totals),
  ];
  return textFormat(families, { store });
}

function buildFamily({ version, deno }: Build): Family {
  return {
    name: "model_sync_build_info",
    type: "gauge",
    help: "The version of model-sync and of its runtime.",
    samples: [{ labels: { version, deno_version: deno }, value: 1 }],
  };
}
