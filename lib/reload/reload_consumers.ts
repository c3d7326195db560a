import type { HttpHook, ReloadHook } from "../config/sections/reload.ts";
import type { Context, Environment } from "../core/context.ts";
import {
  AuthenticationError,
  FailedError,
  InterruptedError,
  ModelSyncError,
  osErrorCode,
} from "../core/errors.ts";
import { redactArguments } from "../core/redact_arguments.ts";
import { absenceOf, findPassword } from "../core/read_secret.ts";
import type { Secret } from "../core/secret.ts";
import { Working } from "../core/working.ts";
import { shortDigest } from "../release/manifest.ts";
import { loadIntoTriton } from "./load_into_triton.ts";
import { runCommand } from "./run_command.ts";
import { sendSignal } from "./send_signal.ts";
import { serveWithTensorflow } from "./serve_with_tensorflow.ts";
import { postWebhook } from "../http/post_webhook.ts";
import { withRetry } from "../core/retry.ts";
import { describeNews, newsId, type ReloadNews, reloadRetries } from "./reload_news.ts";

/**
 * Tells every consumer, one after the other, that a release was activated, and waits until each has taken it. Needs
 * net for `http`, `triton` and a `tensorflow-serving` with an address; run for `command` (the program) and `signal`
 * (all of it); read and write for `tensorflow-serving`.
 *
 * @throws {FailedError} code `RELOAD_FAILED` at the first that fails after its retries: those after it were not told.
 * The signal's reason when the run is interrupted
 */
export async function reloadConsumers(
  context: Context,
  hooks: readonly ReloadHook[],
  news: ReloadNews,
): Promise<void> {
  for (const hook of hooks) {
    const consumer = describeConsumer(hook);
    context.log.info(`[MODEL-RELOAD] Starting model reload: ${news.modelsDir} (${consumer})`);
    using _working = new Working(context, `reloading ${consumer}`);
    try {
      await reload(context, hook, news);
    } catch (error) {
      if (!isFailure(error)) throw error;
      throw reloadFailed(consumer, news, error);
    }
    context.log.info(`[MODEL-RELOAD] Model reloaded successfully (${consumer})`);
  }
}

/**
 * Looks for the secrets that hooks name, before a release is activated that could not be announced.
 *
 * @throws {AuthenticationError} code `SECRET_MISSING`
 */
export function requireReloadSecrets(env: Environment, hooks: readonly ReloadHook[]): void {
  for (const hook of hooks) if (hook.type === "http") findSecret(env, hook.secret_env);
}

function reload(context: Context, hook: ReloadHook, news: ReloadNews): Promise<void> {
  switch (hook.type) {
    case "http":
      return postNews(context, hook, news, findSecret(context.env, hook.secret_env));
    case "command":
      return runCommand(context, hook, news);
    case "signal":
      return sendSignal(context, hook);
    case "triton":
      return loadIntoTriton(context, hook, news);
    case "tensorflow-serving":
      return serveWithTensorflow(context, hook, news);
  }
}

function findSecret(env: Environment, variable: string | undefined): Secret | undefined {
  if (variable === undefined) return undefined;
  const secret = findPassword(env, variable);
  if (secret !== undefined) return secret;
  throw new AuthenticationError(
    `Cannot sign reload requests: the variable ${variable} with the secret ${absenceOf(env, variable)}`,
    { code: "SECRET_MISSING", hint: `set ${variable} in the environment or in .env` },
  );
}

/** For messages: an address without its query, a program without its arguments. */
export function describeConsumer(hook: ReloadHook): string {
  switch (hook.type) {
    case "http":
      return plainAddress(hook.url);
    case "command":
      return redactArguments(hook.command.slice(0, 1)).join();
    case "signal":
      return `the process of ${hook.pid_file}`;
    case "triton":
      return `Triton at ${plainAddress(hook.url)}`;
    case "tensorflow-serving":
      return `TensorFlow Serving in ${hook.model_base_path}`;
  }
}

function plainAddress(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + (pathname === "/" ? "" : pathname);
}

/** Whatever the consumer, the network or the system refuses; no interruption, and no mistake of ours. */
function isFailure(error: unknown): error is Error {
  if (error instanceof ModelSyncError) return !(error instanceof InterruptedError);
  return error instanceof Deno.errors.NotCapable || osErrorCode(error) !== undefined;
}

function reloadFailed(consumer: string, news: ReloadNews, error: Error): FailedError {
  const what = news.event === "activated" ? "reload" : "go back to";
  // What the request was for is said already.
  const reason = error.message.replace(/^Cannot read (?:the answer of the reload hook: )?/, "");
  return new FailedError(
    `Cannot make ${consumer} ${what} release ${shortDigest(news.digest)}: ${reason}`,
    {
      code: "RELOAD_FAILED",
      cause: error,
      hint: error instanceof ModelSyncError ? error.hint : undefined,
    },
  );
}

/** Posts the news to a consumer, signed where there is a secret; 2xx says that it has reloaded. */
export async function postNews(
  context: Context,
  hook: HttpHook,
  news: ReloadNews,
  secret: Secret | undefined,
): Promise<void> {
  const webhook = {
    url: hook.url,
    id: newsId(news),
    body: describeNews(news, context.clock.now()),
    secret,
    headers: hook.headers,
    what: "the answer of the reload hook",
    timeoutMs: hook.timeout_seconds * 1000,
  };
  await withRetry(context, reloadRetries(hook), () => postWebhook(context, webhook));
}
