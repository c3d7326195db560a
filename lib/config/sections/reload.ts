import { z } from "zod";
import { DOCS, EnvName, RepoFolder, WebAddress } from "./kinds.ts";

/** A consumer that takes a request in at all answers in seconds. */
const ANSWER_TIMEOUT_SEC = 30;

/** A server of models answers when they are loaded: gigabytes from a slow disk, and warm-up requests. */
const LOAD_TIMEOUT_SEC = 300;

/** Longer than any model takes, and shorter than a night: the store is locked while a consumer is waited for. */
const TIMEOUT_SEC_MAX = 3_600;

const Retries = z.number().int().min(0).max(10).default(2);

function limits(timeoutSec: number) {
  return {
    /** The longest time for one attempt. */
    timeout_seconds: z.number().positive().max(TIMEOUT_SEC_MAX).default(timeoutSec),
    /** How often an attempt that failed in passing is made again. */
    retries: Retries,
  };
}

const HttpHook = z.strictObject({
  type: z.literal("http"),
  url: WebAddress,
  headers: z.record(z.string().regex(/^[\w-]+$/, "is not the name of a header"), z.string()).default({}),
  /** The variable with the secret that requests are signed with. */
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

/** Those by which services reload, end, or start anew. */
export const RELOAD_SIGNALS = ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGTERM", "SIGQUIT"] as const;

const SignalHook = z.strictObject({
  type: z.literal("signal"),
  pid_file: z.string().min(1),
  signal: z.enum(RELOAD_SIGNALS).default("SIGHUP"),
  ...limits(ANSWER_TIMEOUT_SEC),
});
export type SignalHook = z.infer<typeof SignalHook>;

/** Part of an address, and a folder. */
const ModelName = z.string().regex(/^(?!\.{1,2}$)[^/\\\p{Cc}]+$/u, "must be the name of a model");

const TritonHook = z.strictObject({
  type: z.literal("triton"),
  url: WebAddress,
  /** Without them: every folder at the top of the release. */
  models: z.array(ModelName).min(1).max(1_000).optional(),
  ...limits(LOAD_TIMEOUT_SEC),
});
export type TritonHook = z.infer<typeof TritonHook>;

const TensorFlowServingHook = z.strictObject({
  type: z.literal("tensorflow-serving"),
  /** The folder with the numbered versions of one model. */
  model_base_path: z.string().min(1),
  /** The folder of the release that becomes a version; without it, all of the release. */
  folder: RepoFolder.optional(),
  /** Where the server's REST API is; without it nobody waits until the version is served. */
  url: WebAddress.optional(),
  /** The model's name in that API; without it, the name of its folder. */
  model: ModelName.optional(),
  /** Versions that stay, of those that were made for releases. The one before is served while the new one loads. */
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

/** More consumers than one machine has; each may take its whole time, one after the other. */
const HOOKS_MAX = 20;

/** `activation.reload`: who is told that a release was activated, in this order. */
export const Reload = z.array(ReloadHook).max(HOOKS_MAX).default([]).register(DOCS, {
  description:
    "Who is told that a release was activated, one after the other. http: url gets a POST, signed with secret_env. " +
    "command: a program with its arguments. signal: the process of pid_file gets signal (SIGHUP). triton: url loads " +
    "the folders of the release, or those that models lists; one that the release does not have is unloaded. " +
    "tensorflow-serving: folder of the release, or all of it, becomes a new version in model_base_path, of which the " +
    "newest keep (2) stay; with url, until model (the last part of model_base_path) is served. Each with " +
    "timeout_seconds (30; triton and tensorflow-serving: 300) and retries (2). If one fails, the release before is " +
    "activated again.",
  examples: [[{ type: "http", url: "http://127.0.0.1:8000/reload", timeout_seconds: 30, retries: 2 }]],
});

/** The keys of `activation` for timestamped copies of what is replaced. */
export const BACKUP_KEYS = {
  backup_dir: z.string().min(1).optional().register(DOCS, {
    description:
      "Before a release is replaced, it is also kept here, in a folder named by the time: yyyyMMdd_HHmmss, UTC. The " +
      "store keeps releases to go back to anyway.",
    examples: ["models_backup"],
  }),
  keep: z.number().int().min(1).max(10_000).default(5).register(DOCS, {
    description: "How many of these copies stay in backup_dir.",
  }),
};
