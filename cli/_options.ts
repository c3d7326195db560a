import type { Aliases, FlagParametersForType } from "@stricli/core";
import { UsageError } from "../lib/core/errors.ts";
import { parseRate } from "../lib/http/rate_limit.ts";
import type { TrainingOptions } from "../lib/training/train.ts";
import { suggestion } from "../lib/config/complaints.ts";
import { type Role, ROLES } from "../lib/config/roles.ts";

/** Read when `--config` is not given; it need not exist. */
export const DEFAULT_CONFIG_FILE = "configs/bot.yaml";

/** Options of every command. */
export interface CommonFlags {
  readonly config?: string;
  readonly modelsDir?: string;
  readonly stateDir?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly logFormat?: "text" | "json";
}

/** An option that takes any text. */
export function textFlag(brief: string) {
  return { kind: "parsed", parse: String, optional: true, brief } as const;
}

/** An option that is given or not. */
export function switchFlag(brief: string) {
  return { kind: "boolean", optional: true, withNegated: false, brief } as const;
}

/** An option that takes a JSON object. */
export function jsonFlag(brief: string) {
  const parse = (text: string): Record<string, unknown> => {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
    throw new TypeError("it must be a JSON object");
  };
  return { kind: "parsed", parse, optional: true, brief } as const;
}

/** An option that takes a whole number of at least `least`. */
export function integerFlag(brief: string, least: number) {
  const parse = (text: string) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw new RangeError(`it must be a whole number of at least ${least}`);
    }
    return value;
  };
  return { kind: "parsed", parse, optional: true, brief } as const;
}

/** An option that takes an amount of bytes a second. */
export function rateFlag(brief: string) {
  return { kind: "parsed", parse: parseRate, optional: true, brief } as const;
}

export const COMMON_FLAGS: FlagParametersForType<CommonFlags> = {
  config: textFlag(`configuration file (default: ${DEFAULT_CONFIG_FILE}, if it exists)`),
  modelsDir: textFlag("the model folder (default: models)"),
  stateDir: textFlag("the store (default: .model-sync beside the model folder)"),
  json: switchFlag("print one JSON object instead of text"),
  quiet: switchFlag("print only warnings and errors; --json still prints its object"),
  verbose: switchFlag("also log debug messages"),
  logFormat: {
    kind: "enum",
    values: ["text", "json"],
    optional: true,
    brief: "format of log lines (default: text)",
  },
};

export const COMMON_ALIASES = { q: "quiet", v: "verbose" } as const satisfies Aliases<keyof CommonFlags>;

/** Which settings options stand for, by the options' names. */
export type FlagSettings = Readonly<Record<string, readonly string[]>>;

/** What options stand for in most commands; a command may mean something else by one, and have others. */
export const FLAG_SETTINGS: FlagSettings = {
  modelsDir: ["models_dir"],
  stateDir: ["state_dir"],
  repoDir: ["repo_dir"],
  repoUrl: ["repo_url"],
  repoModelsSubdir: ["repo_models_subdir"],
  remote: ["remote"],
  branch: ["branch"],
  triggerUrl: ["runpod", "trigger_url"],
  statusUrlTemplate: ["runpod", "status_url_template"],
  apiKeyEnv: ["runpod", "api_key_env"],
  triggerMethod: ["runpod", "trigger_method"],
  triggerPayloadJson: ["runpod", "trigger_payload"],
  headersJson: ["runpod", "headers"],
  requestTimeoutSec: ["runpod", "request_timeout_sec"],
  pollIntervalSecRunpod: ["runpod", "poll_interval_sec"],
  jobTimeoutSec: ["runpod", "job_timeout_sec"],
  downloadTimeoutSec: ["runpod", "download_timeout_sec"],
  extractSubdir: ["runpod", "extract_subdir"],
  verifyUrl: ["redeploy", "verify_url"],
  verifyField: ["redeploy", "verify_field"],
  waitTimeoutSec: ["redeploy", "wait_timeout_sec"],
  repoId: ["huggingface", "repo_id"],
  revision: ["huggingface", "revision"],
  private: ["huggingface", "private"],
  include: ["huggingface", "include"],
  exclude: ["huggingface", "exclude"],
  deleteRemoved: ["huggingface", "delete_removed"],
  xet: ["huggingface", "xet"],
};

/** The options of the seeds' git commands, in their spelling. */
export interface GitFlags {
  readonly repoDir?: string;
  readonly repoUrl?: string;
  readonly repoModelsSubdir?: string;
  readonly remote?: string;
  readonly branch?: string;
  readonly allowDirtyWorktree?: boolean;
}

export const GIT_FLAGS: FlagParametersForType<GitFlags> = {
  repoDir: textFlag("existing clone of the registry on this machine"),
  repoUrl: textFlag("address of the registry, for the first clone"),
  repoModelsSubdir: textFlag("folder of the models inside the repository (default: models)"),
  remote: textFlag("git remote (default: origin)"),
  branch: textFlag("git branch (default: main)"),
  allowDirtyWorktree: switchFlag("continue even if the clone has uncommitted changes"),
};

/** The options of both commands for a Hugging Face hub. */
export interface HubFlags {
  readonly repoId?: string;
  readonly revision?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

function patterns(brief: string) {
  return { kind: "parsed", parse: String, optional: true, variadic: true, brief } as const;
}

export const HUB_FLAGS: FlagParametersForType<HubFlags> = {
  repoId: textFlag("model repository on the hub: owner/name"),
  revision: textFlag("branch; a pull also takes a tag or a commit (default: main)"),
  include: patterns("only files that match, such as *.joblib; may be repeated"),
  exclude: patterns("no files that match; may be repeated"),
};

/** The training options of the seeds' commands, in their spelling. */
export interface TrainingFlags {
  readonly skipTraining?: boolean;
  readonly paper?: boolean;
  readonly symbol?: readonly string[];
  readonly trainMissingOnly?: boolean;
  readonly trainAll?: boolean;
  readonly maxModelAgeHours?: number;
}

const PASSED_ON = "passed on to the training command";

export const TRAINING_FLAGS: FlagParametersForType<TrainingFlags> = {
  skipTraining: switchFlag("publish the model folder without training"),
  paper: switchFlag(PASSED_ON),
  symbol: {
    kind: "parsed",
    parse: String,
    optional: true,
    variadic: true,
    brief: `${PASSED_ON}; may be repeated`,
  },
  trainMissingOnly: switchFlag(PASSED_ON),
  trainAll: switchFlag(PASSED_ON),
  maxModelAgeHours: integerFlag(PASSED_ON, 0),
};

/** What the flags tell a training. @throws {UsageError} when they exclude each other */
export function trainingOptions(flags: TrainingFlags): TrainingOptions {
  if (flags.trainAll && flags.trainMissingOnly) {
    throw new UsageError(
      "Cannot train all and only what is missing: --train-all and --train-missing-only exclude each other",
      {
        code: "USAGE",
        hint: "give one of them",
      },
    );
  }
  return {
    paper: flags.paper === true,
    symbols: flags.symbol ?? [],
    scope: flags.trainAll ? "all" : flags.trainMissingOnly ? "missing-only" : "default",
    maxModelAgeHours: flags.maxModelAgeHours,
  };
}

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

/** The positional arguments of a command that acts on roles of a daemon. */
export const ROLE_ARGUMENTS = {
  kind: "array",
  parameter: { brief: `one or more of ${ROLES.join(", ")}`, placeholder: "role", parse: String },
} as const;

/**
 * Returns the roles that were typed, each once.
 *
 * @throws {UsageError} code `ROLE_UNKNOWN`
 */
export function parseRoles(typed: readonly string[]): Role[] {
  return Array.from(new Set(typed), (name) => {
    const role = ROLES.find((role) => role === name);
    if (role !== undefined) return role;
    throw new UsageError(`Cannot use the role "${name}": there is no such role${suggestion(name, ROLES)}`, {
      code: "ROLE_UNKNOWN",
      hint: `the roles are ${ROLES.join(", ")}`,
    });
  });
}
