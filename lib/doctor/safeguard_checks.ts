import type { ModelSync } from "../config/schema.ts";
import type { CanaryMetric } from "../config/sections/canary.ts";
import type { Context } from "../core/context.ts";
import { existingParent } from "../core/folders.ts";
import { absolutePath } from "../core/files.ts";
import { type Check, fail, pass, tried, warn } from "./check.ts";
import { probeWritable } from "./probe_writable.ts";

/** The time limit of a sample: slower sources make poor metrics, and a person waits for the answer. */
const SAMPLE_TIMEOUT_MS = 10_000;

/**
 * Checks that the consumers of a reload exist and the metrics of a canary can be sampled. Notifies no consumer; samples
 * each metric once, as before every swap. Needs net, run and read permission for what is configured.
 */
export async function checkSafeguards(
  context: Context,
  { validate, reload, canary, backup_dir }: ModelSync["activation"],
  modelsDir: string,
): Promise<Check[]> {
  const metrics = canary.duration_minutes > 0 ? canary.metrics : [];
  return [
    ...await Promise.all(
      reload.map((hook) =>
        tried("reload", async () => {
          const { tryConsumer } = await import("../reload/try_consumer.ts");
          return pass("reload", await tryConsumer(context, hook));
        })
      ),
    ),
    ...await checkBackups(context, backup_dir, modelsDir),
    ...await checkValidator(context, validate.enabled ? validate.validate_command : undefined),
    ...await Promise.all(metrics.map((metric) => checkMetric(context, metric))),
  ];
}

/** Checks the folder of backups: if it is not writable, a pull fails between the download and the swap. */
async function checkBackups({ fs }: Context, dir: string | undefined, modelsDir: string): Promise<Check[]> {
  if (dir === undefined) return [];
  return [
    await tried("backups", async () => {
      const { refuseBackupInModels } = await import("../reload/backup_active.ts");
      const root = absolutePath(fs, dir);
      refuseBackupInModels(root, absolutePath(fs, modelsDir));
      const folder = existingParent(fs, root);
      const reason = probeWritable(fs, folder);
      return reason === undefined ? pass("backups", `kept in ${root}`) : fail(
        "backups",
        `${folder} is not writable: ${reason}`,
        "make it writable, or set activation.backup_dir",
      );
    }),
  ];
}

async function checkValidator(context: Context, command: readonly string[] | undefined): Promise<Check[]> {
  const [program] = command ?? [];
  if (program === undefined) return [];
  return [
    await tried("validate_command", async () => {
      const { requireProgram } = await import("../core/require_program.ts");
      requireProgram(context, program);
      return pass("validate_command", `${program} is installed`);
    }),
  ];
}

async function checkMetric(context: Context, metric: CanaryMetric): Promise<Check> {
  const { sampleMetric } = await import("../canary/sample_metric.ts");
  const reading = await sampleMetric(context, metric, SAMPLE_TIMEOUT_MS);
  if (reading.kind === "value") return pass("canary", `${metric.name} is ${reading.value}`);
  const problem = reading.kind === "nan" ? "is not a number" : `has no value: ${reading.reason}`;
  return warn(
    "canary",
    `${metric.name} ${problem}`,
    "check that its source runs; activation.canary.no_data and nan say what a canary does without a value",
  );
}
