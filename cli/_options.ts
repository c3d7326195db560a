import { UsageError } from "../lib/core/errors.ts";
import { isGitPath } from "../lib/core/local_path.ts";
import { parseRate } from "../lib/http/rate_limit.ts";
import type { TrainingOptions } from "../lib/training/train.ts";
import {
  choiceOption,
  fileOption,
  type Flags,
  folderOption,
  integerOption,
  jsonOption,
  type Options,
  repeatableOption,
  switchOption,
  textOption,
} from "./_declaration.ts";

/** Read without `--config`; the file may be missing. */
export const DEFAULT_CONFIG_FILE = "configs/bot.yaml";

const COMMON = "Configuration and output";

/** Options of every command. */
export const COMMON_OPTIONS = {
  config: fileOption({
    group: COMMON,
    brief: "Configuration file",
    standard: `${DEFAULT_CONFIG_FILE}, if it exists`,
  }),
  modelsDir: folderOption({
    group: COMMON,
    brief: "Model folder",
    setting: "models_dir",
    standard: "models",
  }),
  stateDir: folderOption({
    group: COMMON,
    brief: "Store",
    setting: "state_dir",
    standard: ".model-sync beside the model folder",
  }),
  json: switchOption({ group: COMMON, brief: "Print JSON instead of text" }),
  output: choiceOption({
    group: COMMON,
    short: "o",
    placeholder: "FORMAT",
    brief: "Output format",
    note: "json is --json",
    standard: "text",
  }, ["text", "json"]),
  quiet: switchOption({
    group: COMMON,
    short: "q",
    brief: "Print only warnings, errors and the --json object",
  }),
  verbose: switchOption({ group: COMMON, short: "v", brief: "Log debug messages" }),
  logFormat: choiceOption(
    { group: COMMON, placeholder: "FORMAT", brief: "Format of log lines", standard: "text" },
    ["text", "json"],
  ),
} satisfies Options;

export type CommonFlags = Flags<typeof COMMON_OPTIONS>;

/** Returns whether the output is JSON. */
export function printsJson({ json, output }: Pick<CommonFlags, "json" | "output">): boolean {
  return json === true || output === "json";
}

/** @throws {UsageError} code `USAGE` if two options name different formats */
export function refuseTwoFormats({ json, output }: Pick<CommonFlags, "json" | "output">): void {
  if (json !== true || output !== "text") return;
  throw new UsageError("Cannot use --json and --output text together: choose one format", { code: "USAGE" });
}

const GIT = "Git registry";

/** The git options of the original scripts, in their spelling. */
export const GIT_OPTIONS = {
  repoUrl: {
    ...textOption({
      group: GIT,
      placeholder: "URL",
      brief: "Address of the registry, for the first clone",
      setting: "repo_url",
    }),
    isPath: isGitPath,
  },
  repoDir: folderOption({
    group: GIT,
    brief: "Existing clone of the registry on this machine",
    setting: "repo_dir",
  }),
  repoModelsSubdir: textOption({
    group: GIT,
    placeholder: "DIR",
    brief: "Folder of the models in the repository",
    setting: "repo_models_subdir",
    standard: "models",
  }),
  remote: textOption({
    group: GIT,
    placeholder: "NAME",
    brief: "Git remote",
    setting: "remote",
    standard: "origin",
  }),
  branch: textOption({
    group: GIT,
    placeholder: "NAME",
    brief: "Git branch",
    setting: "branch",
    standard: "main",
  }),
  allowDirtyWorktree: switchOption({
    group: "Safety",
    brief: "Continue even if the clone has uncommitted changes",
  }),
} satisfies Options;

const HUB = "Hugging Face";

/** Options of both commands for a Hugging Face hub. */
export const HUB_OPTIONS = {
  repoId: textOption({
    group: HUB,
    placeholder: "OWNER/NAME",
    brief: "Model repository on the hub",
    setting: "huggingface.repo_id",
  }),
  revision: textOption({
    group: HUB,
    placeholder: "BRANCH",
    brief: "Branch; a pull also accepts a tag or commit",
    setting: "huggingface.revision",
    standard: "main",
  }),
  include: repeatableOption({
    group: HUB,
    placeholder: "PATTERN",
    brief: "Only files that match",
    setting: "huggingface.include",
    note: "such as *.joblib",
  }),
  exclude: repeatableOption({
    group: HUB,
    placeholder: "PATTERN",
    brief: "No files that match",
    setting: "huggingface.exclude",
  }),
} satisfies Options;

const RUNPOD = "RunPod job";

/** The options of the original RunPod script, in its spelling. */
export const RUNPOD_OPTIONS = {
  triggerUrl: textOption({
    group: RUNPOD,
    placeholder: "URL",
    brief: "Address that starts a job",
    setting: "runpod.trigger_url",
    note: "such as https://api.runpod.ai/v2/ID/run",
  }),
  statusUrlTemplate: textOption({
    group: RUNPOD,
    placeholder: "URL",
    brief: "Address of a job's status, with {job_id}",
    setting: "runpod.status_url_template",
    note: "such as https://api.runpod.ai/v2/ID/status/{job_id}",
  }),
  apiKey: textOption({
    group: RUNPOD,
    placeholder: "KEY",
    brief: "API key, visible to other users: prefer --api-key-env",
  }),
  apiKeyEnv: textOption({
    group: RUNPOD,
    placeholder: "VARIABLE",
    brief: "Variable that holds the API key",
    setting: "runpod.api_key_env",
    standard: "RUNPOD_API_KEY",
  }),
  triggerMethod: choiceOption({
    group: RUNPOD,
    placeholder: "METHOD",
    brief: "Method of the start request",
    setting: "runpod.trigger_method",
    standard: "POST",
  }, ["GET", "POST", "PUT", "PATCH"]),
  triggerPayloadJson: jsonOption({
    group: RUNPOD,
    brief: "Body of the start request, a JSON object",
    setting: "runpod.trigger_payload",
  }),
  headersJson: jsonOption({
    group: RUNPOD,
    brief: "Headers added to API requests, a JSON object",
    setting: "runpod.headers",
  }),
  requestTimeoutSec: integerOption({
    group: RUNPOD,
    placeholder: "SECONDS",
    brief: "Time limit of one request",
    setting: "runpod.request_timeout_sec",
    standard: 20,
  }, 1),
  pollIntervalSecRunpod: integerOption({
    group: RUNPOD,
    placeholder: "SECONDS",
    brief: "Time between two status requests",
    setting: "runpod.poll_interval_sec",
    standard: 10,
  }, 1),
  jobTimeoutSec: integerOption({
    group: RUNPOD,
    placeholder: "SECONDS",
    brief: "Time limit of the job",
    setting: "runpod.job_timeout_sec",
    standard: 3600,
  }, 5),
  downloadTimeoutSec: integerOption({
    group: RUNPOD,
    placeholder: "SECONDS",
    brief: "Time limit of the download",
    setting: "runpod.download_timeout_sec",
    standard: 300,
  }, 5),
  extractSubdir: textOption({
    group: RUNPOD,
    placeholder: "DIR",
    brief: "Folder of the archive that holds the models",
    setting: "runpod.extract_subdir",
    standard: "models",
  }),
  noCancel: switchOption({ group: RUNPOD, brief: "Keep the job running when the wait ends" }),
} satisfies Options;

/** Returns the option that limits a list to its newest entries. */
export function limitOption(entries: string, standard: number) {
  return integerOption({
    group: "Options",
    short: "n",
    placeholder: "COUNT",
    brief: `Number of ${entries}, the newest ones`,
    standard,
    note: "0 for all",
  }, 0);
}

/** The option that limits a download's rate. */
export const LIMIT_RATE = {
  group: "Options",
  kind: "value",
  placeholder: "RATE",
  brief: "Limit the download rate, in bytes a second",
  note: "such as 500K or 10M",
  parse: parseRate,
} as const;

const TRAINING = "Training";
const PASSED_ON = "Passed on to the training command";

/** The training options of the original scripts, in their spelling. */
export const TRAINING_OPTIONS = {
  skipTraining: switchOption({ group: TRAINING, brief: "Publish the model folder without training" }),
  paper: switchOption({ group: TRAINING, brief: PASSED_ON }),
  symbol: repeatableOption({ group: TRAINING, placeholder: "SYMBOL", brief: PASSED_ON }),
  trainMissingOnly: switchOption({ group: TRAINING, brief: PASSED_ON }),
  trainAll: switchOption({ group: TRAINING, brief: PASSED_ON }),
  maxModelAgeHours: integerOption({ group: TRAINING, placeholder: "HOURS", brief: PASSED_ON }, 0),
} satisfies Options;

export type TrainingFlags = Flags<typeof TRAINING_OPTIONS>;

/** Returns what the flags say about a training. @throws {UsageError} when they exclude each other */
export function trainingOptions(flags: TrainingFlags): TrainingOptions {
  if (flags.trainAll && flags.trainMissingOnly) {
    throw new UsageError("Cannot train: --train-all and --train-missing-only exclude each other", {
      code: "USAGE",
      hint: "use one of the two options",
    });
  }
  return {
    paper: flags.paper === true,
    symbols: flags.symbol ?? [],
    scope: flags.trainAll ? "all" : flags.trainMissingOnly ? "missing-only" : "default",
    maxModelAgeHours: flags.maxModelAgeHours,
  };
}

/** Options of every command that pulls. */
export const PULLING_OPTIONS = {
  dryRun: switchOption({ group: "Options", brief: "Show what would change, and change nothing" }),
  waitCanary: switchOption({
    group: "Options",
    brief: "Wait for the canary's verdict; roll back on failure",
  }),
  adopt: switchOption({ group: "Safety", brief: "Replace a model folder that this machine trains into" }),
  allowDowngrade: switchOption({ group: "Safety", brief: "Accept a release older than the active one" }),
  force: switchOption({
    group: "Safety",
    brief: "Accept quarantined releases; download and check unchanged ones again",
  }),
} satisfies Options;

/** Of the commands whose carrier other programs write to. */
export const OTHER_WRITERS_OPTION = {
  acceptOtherWriters: switchOption({
    group: "Safety",
    brief: "Accept files that another program changed after publishing",
  }),
} satisfies Options;

/** Of the commands that publish to a carrier. */
export const PUBLISHING_OPTIONS = {
  commitMessage: textOption({
    group: "Options",
    placeholder: "TEXT",
    brief: "Commit message",
    standard: "chore(models): sync TIME",
  }),
  allowShrink: switchOption({
    group: "Safety",
    brief: "Accept that more than half of the files disappear",
  }),
} satisfies Options;
