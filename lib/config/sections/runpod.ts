import { z } from "zod";
import { parseWebAddress } from "../../core/web_address.ts";
import { DOCS, EnvName, HttpAddress, RepoFolder } from "./kinds.ts";
import { scheduleKey, TIMING } from "./schedule.ts";

/** RunPod runs no job longer, and a timer of the runtime cannot count much further. */
const WEEK_SEC = 7 * 86_400;

/** The settings of the RunPod carrier, with the names and defaults of its first users. */
export const RunPod = z.strictObject({
  enabled: z.boolean().default(true).register(DOCS, {
    description:
      "As enabled: without effect in a file. MODEL_SYNC_RUNPOD_ENABLED=false keeps the RunPod role of the daemon from starting.",
  }),
  trigger_url: HttpAddress.optional().register(
    DOCS,
    {
      description: "Where a training job is started.",
      examples: ["https://api.runpod.ai/v2/ENDPOINT_ID/run"],
    },
  ),
  status_url_template: z.string().refine(isTemplate, {
    error: "must be an http address with {job_id} or {id} in the place of the job",
  }).optional().register(DOCS, {
    description: "Where its state is asked for; {job_id} or {id} stands for the job.",
    examples: ["https://api.runpod.ai/v2/ENDPOINT_ID/status/{job_id}"],
  }),
  api_key_env: EnvName.default("RUNPOD_API_KEY").register(DOCS, {
    description: "The environment variable that holds the API key.",
  }),
  api_key: z.string().min(1).optional().register(DOCS, {
    description:
      "The API key itself, where the variable is not set. Keep keys out of files that others read.",
    examples: ["rpa_EXAMPLE"],
  }),
  trigger_method: z.enum(["GET", "POST", "PUT", "PATCH"]).default("POST").register(DOCS, {
    description: "The method of the start request.",
  }),
  trigger_payload: z.record(z.string(), z.json()).default({}).register(DOCS, {
    description:
      "The body of the start request. RunPod gets input and policy added where they are missing: policy lets the job " +
      "take job_timeout_sec.",
  }),
  headers: z.record(z.string(), z.string()).default({}).register(DOCS, {
    description: "Headers added to requests to the API.",
  }),
  request_timeout_sec: z.number().min(1).max(WEEK_SEC).default(20).register(DOCS, {
    description: "The longest time for one request, in seconds.",
  }),
  poll_interval_sec: z.number().min(1).max(WEEK_SEC).default(10).register(DOCS, {
    description: "The time between two looks at the job, in seconds.",
  }),
  job_timeout_sec: z.number().min(5).max(WEEK_SEC).default(3600).register(DOCS, {
    description: "The longest time for a job, in seconds.",
  }),
  download_timeout_sec: z.number().min(5).max(WEEK_SEC).default(300).register(DOCS, {
    description: "The longest time for its download, in seconds.",
  }),
  extract_subdir: RepoFolder.default("models").register(DOCS, {
    description: "The folder of the archive that holds the models.",
  }),
});

export const RunPodClient = z.strictObject({
  schedule: scheduleKey(
    "03:00",
    "When the daemon has RunPod train and pulls the result, as client.schedule.",
  ),
  ...TIMING,
});

function isTemplate(text: string): boolean {
  return /\{(?:job_)?id\}/.test(text) &&
    parseWebAddress(text.replaceAll(/\{(?:job_)?id\}/g, "job")) !== undefined;
}
