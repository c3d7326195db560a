import * as z from "zod";
import { parseWebAddress } from "../../http/web_address.ts";
import { DOCS, EnvName, HttpAddress, RepoFolder } from "./kinds.ts";
import { scheduleKey, TIMING } from "./schedule.ts";

/** The longest job of RunPod. Timers of the runtime are limited to little more. */
const WEEK_SEC = 7 * 86_400;

/** The section `runpod`: the RunPod carrier, with the names and defaults of the original script. */
export const RunPod = z.strictObject({
  enabled: z.boolean().default(true).register(DOCS, {
    description:
      "Has no effect in this file, like enabled at the top. To keep the role runpod_client from starting, set " +
      "the environment variable MODEL_SYNC_RUNPOD_ENABLED=false.",
  }),
  trigger_url: HttpAddress.optional().register(
    DOCS,
    {
      description: "The address that starts a training job.",
      examples: ["https://api.runpod.ai/v2/ENDPOINT_ID/run"],
    },
  ),
  status_url_template: z.string().refine(isTemplate, {
    error: "must be an http address with {job_id} or {id} in the place of the job",
  }).optional().register(DOCS, {
    description: "The address of a job's state. {job_id} or {id} stands for the job's id.",
    examples: ["https://api.runpod.ai/v2/ENDPOINT_ID/status/{job_id}"],
  }),
  api_key_env: EnvName.default("RUNPOD_API_KEY").register(DOCS, {
    description: "The environment variable with the API key.",
  }),
  api_key: z.string().min(1).optional().register(DOCS, {
    description:
      "The API key itself, used if the environment variable is not set. Do not put keys into files that others " +
      "can read.",
    examples: ["rpa_EXAMPLE"],
  }),
  trigger_method: z.enum(["GET", "POST", "PUT", "PATCH"]).default("POST").register(DOCS, {
    description: "The HTTP method of the start request.",
  }),
  trigger_payload: z.record(z.string(), z.json()).default({}).register(DOCS, {
    description:
      "The body of the start request. For RunPod, input and policy are added if they are missing: policy sets " +
      "the time limit of the job to job_timeout_sec.",
  }),
  headers: z.record(z.string(), z.string()).default({}).register(DOCS, {
    description: "Additional headers of requests to the API.",
  }),
  request_timeout_sec: z.number().min(1).max(WEEK_SEC).default(20).register(DOCS, {
    description: "The time limit of one request, in seconds.",
  }),
  poll_interval_sec: z.number().min(1).max(WEEK_SEC).default(10).register(DOCS, {
    description: "The time between two requests for the job's state, in seconds.",
  }),
  job_timeout_sec: z.number().min(5).max(WEEK_SEC).default(3600).register(DOCS, {
    description: "The time limit of a job, in seconds.",
  }),
  download_timeout_sec: z.number().min(5).max(WEEK_SEC).default(300).register(DOCS, {
    description: "The time limit of the download, in seconds.",
  }),
  extract_subdir: RepoFolder.default("models").register(DOCS, {
    description: "The folder of the models in the archive.",
  }),
});

export const RunPodClient = z.strictObject({
  schedule: scheduleKey(
    "03:00",
    "When the daemon starts a training on RunPod and pulls the result. Same forms as client.schedule.",
  ),
  ...TIMING,
});

function isTemplate(text: string): boolean {
  return /\{(?:job_)?id\}/.test(text) &&
    parseWebAddress(text.replaceAll(/\{(?:job_)?id\}/g, "job")) !== undefined;
}
