import * as z from "zod";
import { DOCS, EnvName, LocalPath, RepoFolder, WebAddress } from "./kinds.ts";

/** A consumer that accepts a request answers within seconds. */
const ANSWER_TIMEOUT_SEC = 30;

/** A model server answers after loading: gigabytes from a slow disk, and warm-up requests. */
const LOAD_TIMEOUT_SEC = 300;

/** Longer than any model loads. The store stays locked while the run waits for a consumer. */
const TIMEOUT_SEC_MAX = 3_600;

const Retries = z.number().int().min(0).max(10).default(2);

function limits(timeoutSec: number) {
  return {
    /** The time limit of one attempt. */
    timeout_seconds: z.number().positive().max(TIMEOUT_SEC_MAX).default(timeoutSec),
    /** How often a temporary failure is retried. */
    retries: Retries,
  };
}

const HttpHook = z.strictObject({
  type: z.literal("http"),
  url: WebAddress,
  headers: z.record(z.string().regex(/^[\w-]+$/, "is not the name of an HTTP header"), z.string()).default(
    {},
  ),
  /** The environment variable with the secret that signs requests. */
  secret_env: EnvName.optional(),
  ...limits(ANSWER_TIMEOUT_SEC),
});
export type HttpHook = z.infer<typeof HttpHook>;

const CommandHook = z.strictObject({
  type: z.literal("command"),
  command: z.array(z.string().min(1)).min(1),
  ...limits(ANSWER_TIMEOUT_SEC),
});
export type CommandHook = z.infer<typeof CommandHook>;

/** The signals that make services reload, stop or restart. */
const RELOAD_SIGNALS = ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGTERM", "SIGQUIT"] as const;

const SignalHook = z.strictObject({
  type: z.literal("signal"),
  pid_file: LocalPath,
  signal: z.enum(RELOAD_SIGNALS).default("SIGHUP"),
  ...limits(ANSWER_TIMEOUT_SEC),
});
export type SignalHook = z.infer<typeof SignalHook>;

/** The name becomes part of an address and of a path. */
const ModelName = z.string().regex(/^(?!\.{1,2}$)[^/\\\p{Cc}]+$/u, "must be the name of a model");

const TritonHook = z.strictObject({
  type: z.literal("triton"),
  url: WebAddress,
  /** Default: every folder at the top level of the release. */
  models: z.array(ModelName).min(1).max(1_000).optional(),
  ...limits(LOAD_TIMEOUT_SEC),
});
export type TritonHook = z.infer<typeof TritonHook>;

const TensorFlowServingHook = z.strictObject({
  type: z.literal("tensorflow-serving"),
  /** The folder of the model's numbered versions. */
  model_base_path: LocalPath,
  /** The folder of the release that becomes a version. Default: the whole release. */
  folder: RepoFolder.optional(),
  /** The address of the server's REST API. Without it, the run does not wait until the version is served. */
  url: WebAddress.optional(),
  /** The model's name in that API. Default: the last part of `model_base_path`. */
  model: ModelName.optional(),
  /** How many versions made for releases stay. The server uses the previous one while the new one loads. */
  keep: z.number().int().min(2).max(1_000).default(2),
  ...limits(LOAD_TIMEOUT_SEC),
});
export type TensorFlowServingHook = z.infer<typeof TensorFlowServingHook>;

const ReloadHook = z.discriminatedUnion("type", [
  HttpHook,
  CommandHook,
  SignalHook,
  TritonHook,
  TensorFlowServingHook,
]);
export type ReloadHook = z.infer<typeof ReloadHook>;

/** More consumers than a machine has. They are notified one after the other, each within its own time limit. */
const HOOKS_MAX = 20;

/** The setting `activation.reload`: the services to notify after an activation, in this order. */
export const Reload = z.array(ReloadHook).max(HOOKS_MAX).default([]).register(DOCS, {
  description:
    "The services to notify after an activation, one after the other. type http: POST to url, signed with " +
    "secret_env. type command: run command, a list. type signal: send signal (SIGHUP) to the process in " +
    "pid_file. type triton: load the folders of the release, or those in models, through url, and unload " +
    "models that the release no longer has. type tensorflow-serving: add folder, or the whole release, as a " +
    "new version to model_base_path, keep the newest keep (2) versions and, with url, wait until model (the " +
    "last part of model_base_path) is served. Each may have timeout_seconds (30; triton and tensorflow-serving " +
    "300) and retries (2). If one fails, the previous release is activated again.",
  examples: [[{ type: "http", url: "http://127.0.0.1:8000/reload", timeout_seconds: 30, retries: 2 }]],
});

/** The settings of `activation` for copies of replaced releases. */
export const BACKUP_KEYS = {
  backup_dir: LocalPath.optional().register(DOCS, {
    description:
      "A folder for copies of replaced releases, each named by its time in UTC, yyyyMMdd_HHmmss. Rollbacks do " +
      "not need it: the store keeps releases.",
    examples: ["models_backup"],
  }),
  keep: z.number().int().min(1).max(10_000).default(5).register(DOCS, {
    description: "How many copies stay in backup_dir.",
  }),
};
