import * as z from "zod";
import { RunPodSource } from "../../lib/carriers/runpod_source.ts";
import { ARCHIVE_LIMITS } from "../../lib/archive/archive_limits.ts";
import type { Context } from "../../lib/core/context.ts";
import { Secret } from "../../lib/core/secret.ts";
import { pull } from "../../lib/pipeline/pull.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { openStore } from "../../lib/store/store.ts";
import { dieAt } from "./die_at.ts";

const Target = z.object({
  modelsDir: z.string(),
  triggerUrl: z.string(),
  statusUrlTemplate: z.string(),
  apiKey: z.string(),
});

/** A bot's model folder, and the API that it pulls from. */
export type RunPodTarget = z.infer<typeof Target>;

/** Pulls from RunPod. */
export async function pullFromRunPod(
  context: Context,
  { modelsDir, triggerUrl, statusUrlTemplate, apiKey }: RunPodTarget,
): Promise<void> {
  const store = openStore(context.fs, { modelsDir });
  await using source = new RunPodSource(context, {
    api: {
      triggerUrl,
      statusUrlTemplate,
      method: "POST",
      payload: {},
      headers: { authorization: new Secret(`Bearer ${apiKey}`) },
      requestTimeoutMs: 20_000,
      jobTimeoutMs: 3_600_000,
    },
    pollIntervalMs: 1,
    downloadTimeoutMs: 60_000,
    downloadBytesMax: 1024 ** 3,
    bytesPerSecondMax: undefined,
    limits: ARCHIVE_LIMITS,
    subdir: "models",
    cancels: true,
    startsNewJob: false,
  }, store);
  await recordedRun(
    context,
    store,
    { command: "runpod-pull", lock: "store", sinks: [], prepare: () => source.prepare() },
    (run) =>
      pull(context, store, source, run, { allowDowngrade: false, force: false, activation: "auto", keep: 5 }),
  );
}

// Arguments: the step before which it kills itself, and JSON of the target.
if (import.meta.main) {
  const [killAt, target = ""] = Deno.args;
  await pullFromRunPod(dieAt(Number(killAt)), Target.parse(JSON.parse(target)));
}
