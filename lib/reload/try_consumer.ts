import type { ReloadHook } from "../config/sections/reload.ts";
import type { Context } from "../core/context.ts";
import { exchange } from "../http/request.ts";
import { statusError } from "../http/status_error.ts";
import { probeServer } from "../http/probe_server.ts";
import { requireProgram } from "../core/require_program.ts";
import { describeConsumer, requireReloadSecrets } from "./reload_consumers.ts";
import { findProcess } from "./send_signal.ts";
import { tritonAddress } from "./load_into_triton.ts";

/** A healthy consumer responds quickly: nothing has to be loaded. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Checks whether a consumer can be notified, without notifying it. Needs net for consumers with an address, read for
 * programs, run for a `signal`.
 *
 * @returns the result, for people
 * @throws {ModelSyncError} if it cannot be notified
 */
export async function tryConsumer(context: Context, hook: ReloadHook): Promise<string> {
  const consumer = describeConsumer(hook);
  switch (hook.type) {
    case "http": {
      requireReloadSecrets(context.env, [hook]);
      const host = await probeServer(context, hook.url, `an answer of ${consumer}`, ANSWER_TIMEOUT_MS);
      return `${host} responds; ${consumer} was not called`;
    }
    case "command":
      requireProgram(context, hook.command[0] ?? "");
      return `${consumer} exists; it was not run`;
    case "signal": {
      const pid = findProcess(context.fs, hook);
      return `${consumer} is running (${pid}); it was sent no signal`;
    }
    case "triton":
      await requireReady(context, tritonAddress(hook, "health/ready"), consumer);
      return `${consumer} is ready`;
    case "tensorflow-serving": {
      if (hook.url === undefined) return `${consumer} has no url: pulls do not wait for it`;
      const host = await probeServer(context, hook.url, `an answer of ${consumer}`, ANSWER_TIMEOUT_MS);
      return `${consumer}: ${host} responds`;
    }
  }
}

/** Checks that Triton accepts requests for models (KServe's protocol, version 2). */
async function requireReady(context: Context, url: string, consumer: string): Promise<void> {
  const request = { url, what: `the health of ${consumer}`, timeoutMs: ANSWER_TIMEOUT_MS };
  await exchange(context, request, async (response) => {
    if (!response.ok) throw await statusError(context, request, response);
    await response.body?.cancel();
  });
}
