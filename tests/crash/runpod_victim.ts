import { z } from "zod";
import { ARCHIVE_LIMITS } from "../../lib/core/archive_limits.ts";
import { RunPodSource } from "../../lib/carriers/runpod_source.ts";
import { Secret } from "../../lib/core/secret.ts";
import { pull } from "../../lib/pipeline/pull.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { openStore } from "../../lib/store/store.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { testContext } from "../helpers/test_context.ts";

/**
 * Pulls from RunPod and kills itself before its n-th step that changes the disk. One argument: JSON with the step, the
 * models folder and the API. Prints the number of steps when it survives.
 */
const { killAt, modelsDir, triggerUrl, statusUrlTemplate, apiKey } = z.object({
  killAt: z.number(),
  modelsDir: z.string(),
  triggerUrl: z.string(),
  statusUrlTemplate: z.string(),
  apiKey: z.string(),
}).parse(JSON.parse(Deno.args[0] ?? ""));

let steps = 0;
const context = testContext({
  fs: countingFs(() => {
    steps++;
    if (steps === killAt) Deno.kill(Deno.pid, "SIGKILL");
  }),
});
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
  startsAnew: false,
}, store);
await source.prepare();
await recordedRun(
  context,
  store,
  "runpod-pull",
  (run) =>
    pull(context, store, source, run, { allowDowngrade: false, force: false, activation: "auto", keep: 5 }),
);
await source[Symbol.asyncDispose]();
await new Blob([`${steps}\n`]).stream().pipeTo(Deno.stdout.writable);
