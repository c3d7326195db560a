import type { FlagParametersForType } from "@stricli/core";
import { integerFlag, jsonFlag, switchFlag, textFlag } from "./_command.ts";

/** The options of the seed's RunPod command, in their spelling. */
export interface RunPodFlags {
  readonly triggerUrl?: string;
  readonly statusUrlTemplate?: string;
  readonly apiKey?: string;
  readonly apiKeyEnv?: string;
  readonly triggerMethod?: "GET" | "POST" | "PUT" | "PATCH";
  readonly triggerPayloadJson?: Record<string, unknown>;
  readonly headersJson?: Record<string, unknown>;
  readonly requestTimeoutSec?: number;
  readonly pollIntervalSecRunpod?: number;
  readonly jobTimeoutSec?: number;
  readonly downloadTimeoutSec?: number;
  readonly extractSubdir?: string;
  readonly noCancel?: boolean;
  readonly newJob?: boolean;
}

export const RUNPOD_FLAGS: FlagParametersForType<RunPodFlags> = {
  triggerUrl: textFlag("address that starts a job: https://api.runpod.ai/v2/ENDPOINT_ID/run"),
  statusUrlTemplate: textFlag(
    "where its state is asked for: https://api.runpod.ai/v2/ENDPOINT_ID/status/{job_id}",
  ),
  apiKey: textFlag("the API key; others on this machine can read it, so better name a variable"),
  apiKeyEnv: textFlag("the variable that holds the API key (default: RUNPOD_API_KEY)"),
  triggerMethod: {
    kind: "enum",
    values: ["GET", "POST", "PUT", "PATCH"],
    optional: true,
    brief: "method of the start request (default: POST)",
  },
  triggerPayloadJson: jsonFlag("body of the start request"),
  headersJson: jsonFlag("headers added to requests to the API"),
  requestTimeoutSec: integerFlag("time limit of one request, in seconds (default: 20)", 1),
  pollIntervalSecRunpod: integerFlag("seconds between two status requests (default: 10)", 1),
  jobTimeoutSec: integerFlag("time limit of the job, in seconds (default: 3600)", 5),
  downloadTimeoutSec: integerFlag("time limit of the download, in seconds (default: 300)", 5),
  extractSubdir: textFlag("folder of the archive that holds the models (default: models)"),
  noCancel: switchFlag("do not cancel a job when the wait for it ends"),
  newJob: switchFlag("start a new job even if one of an earlier run may be running"),
};
