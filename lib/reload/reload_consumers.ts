import type { HttpHook, ReloadHook } from "../config/sections/reload.ts";
import type { Context, Environment } from "../core/context.ts";
import { FailedError, InterruptedError, ModelSyncError, osErrorCode } from "../core/errors.ts";
import { redactArguments } from "../core/redact_arguments.ts";
import { requirePassword } from "../core/read_secret.ts";
import type { Secret } from "../core/secret.ts";
import { Working } from "../core/working.ts";
import { shortDigest } from "../release/manifest.ts";
import { loadIntoTriton } from "./load_into_triton.ts";
import { runCommand } from "./run_command.ts";
import { sendSignal } from "./send_signal.ts";
import { serveWithTensorflow } from "./serve_with_tensorflow.ts";
import { postWebhook } from "../http/post_webhook.ts";
import { withRetry } from "../core/retry.ts";
import {
  notificationBody,
  notificationId,
  type ReloadNotification,
  reloadRetries,
} from "./reload_notification.ts";

/**
 * Notifies every consumer of an activated release, one after the other, and waits until each has reloaded. Needs net for
 * `http`, `triton` and a `tensorflow-serving` with an address; run for `command` (its program) and `signal` (all
 * programs); read and write for `tensorflow-serving`.
 *
 * @throws {FailedError} code `RELOAD_FAILED` at the first consumer that fails after its retries; the consumers after it
 * are not notified. The signal's reason if the run is interrupted
 */
export async function reloadConsumers(
  context: Context,
  hooks: readonly ReloadHook[],
  notification: ReloadNotification,
): Promise<void> {
  for (const hook of hooks) {
    const consumer = describeConsumer(hook);
    context.log.info(`[MODEL-RELOAD] Starting model reload: ${notification.modelsDir} (${consumer})`);
    using _working = new Working(context, `reloading ${consumer}`);
    try {
      await reload(context, hook, notification);
    } catch (error) {
      if (!isFailure(error)) throw error;
      throw reloadFailed(consumer, notification, error);
    }
    context.log.info(`[MODEL-RELOAD] Model reloaded successfully (${consumer})`);
  }
}

/**
 * Checks that the secrets of hooks are set, before a release is activated of which consumers could not be notified.
 *
 * @throws {AuthenticationError} code `SECRET_MISSING`
 */
export function requireReloadSecrets(env: Environment, hooks: readonly ReloadHook[]): void {
  for (const hook of hooks) if (hook.type === "http") findSecret(env, hook.secret_env);
}

function reload(context: Context, hook: ReloadHook, notification: ReloadNotification): Promise<void> {
  switch (hook.type) {
    case "http":
      return postNotification(context, hook, notification, findSecret(context.env, hook.secret_env));
    case "command":
      return runCommand(context, hook, notification);
    case "signal":
      return sendSignal(context, hook);
    case "triton":
      return loadIntoTriton(context, hook, notification);
    case "tensorflow-serving":
      return serveWithTensorflow(context, hook, notification);
  }
}

function findSecret(env: Environment, variable: string | undefined): Secret | undefined {
  if (variable === undefined) return undefined;
  return requirePassword(env, variable, {
    failure: "Cannot sign reload requests: ",
    content: " with the secret",
    code: "SECRET_MISSING",
  });
}

/** Names a consumer in messages: an address without its query, a program without its arguments. */
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

/** Whether the consumer, the network or the system refused the reload. Interruptions and bugs do not count. */
function isFailure(error: unknown): error is Error {
  if (error instanceof ModelSyncError) return !(error instanceof InterruptedError);
  return error instanceof Deno.errors.NotCapable || osErrorCode(error) !== undefined;
}

function reloadFailed(consumer: string, notification: ReloadNotification, error: Error): FailedError {
  const what = notification.event === "activated" ? "reload" : "roll back to";
  // The message names the request already.
  const reason = error.message.replace(/^Cannot (?:call the reload hook: |(?:call|read) )/, "");
  return new FailedError(
    `Cannot make ${consumer} ${what} release ${shortDigest(notification.digest)}: ${reason}`,
    {
      code: "RELOAD_FAILED",
      cause: error,
      hint: error instanceof ModelSyncError ? error.hint : undefined,
    },
  );
}

/** Posts the notification to a consumer, signed if there is a secret. A 2xx response means that it has reloaded. */
async function postNotification(
  context: Context,
  hook: HttpHook,
  notification: ReloadNotification,
  secret: Secret | undefined,
): Promise<void> {
  const webhook = {
    url: hook.url,
    id: notificationId(notification),
    body: notificationBody(notification, context.clock.now()),
    secret,
    headers: hook.headers,
    what: "the reload hook",
    timeoutMs: hook.timeout_seconds * 1000,
  };
  await withRetry(context, reloadRetries(hook), () => postWebhook(context, webhook));
}
