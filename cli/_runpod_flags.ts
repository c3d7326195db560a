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
  triggerUrl: textFlag("where a job is started: https://api.runpod.ai/v2/ENDPOINT_ID/run"),
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
  requestTimeoutSec: integerFlag("the longest time for one request (default: 20)", 1),
  pollIntervalSecRunpod: integerFlag("the time between two looks at the job (default: 10)", 1),
  jobTimeoutSec: integerFlag("the longest time for the job (default: 3600)", 5),
  downloadTimeoutSec: integerFlag("the longest time for the download (default: 300)", 5),
  extractSubdir: textFlag("folder of the archive that holds the models (default: models)"),
  noCancel: switchFlag("let a job go on that is not waited for any longer"),
  newJob: switchFlag("start another job although one of an earlier run may still be there"),
};
