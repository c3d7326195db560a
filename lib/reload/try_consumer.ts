import type { ReloadHook } from "../config/sections/reload.ts";
import type { Context } from "../core/context.ts";
import { exchange } from "../http/request.ts";
import { statusError } from "../http/status_error.ts";
import { knock } from "../http/knock.ts";
import { requireProgram } from "../core/require_program.ts";
import { describeConsumer, requireReloadSecrets } from "./reload_consumers.ts";
import { findProcess } from "./send_signal.ts";
import { tritonAddress } from "./load_into_triton.ts";

/** A consumer that takes a reload in at all answers in a moment; the time for loading models is not needed. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Looks whether a consumer could be told of an activation, and tells it nothing. Needs net for those with an address,
 * read for programs, run for a `signal`.
 *
 * @returns what was found, for people
 * @throws {ModelSyncError} when it could not be told
 */
export async function tryConsumer(context: Context, hook: ReloadHook): Promise<string> {
  const consumer = describeConsumer(hook);
  switch (hook.type) {
    case "http": {
      requireReloadSecrets(context.env, [hook]);
      const host = await knock(context, hook.url, `an answer of ${consumer}`, ANSWER_TIMEOUT_MS);
      return `${consumer} is not called to try it; ${host} answers`;
    }
    case "command":
      requireProgram(context, hook.command[0] ?? "");
      return `${consumer} is there; it is not run to try it`;
    case "signal": {
      const pid = findProcess(context.fs, hook);
      return `${consumer} is there (${pid}); it gets no signal to try it`;
    }
    case "triton":
      await requireReady(context, tritonAddress(hook, "health/ready"), consumer);
      return `${consumer} is ready`;
    case "tensorflow-serving": {
      if (hook.url === undefined) return `${consumer} has no url: nobody waits for it`;
      const host = await knock(context, hook.url, `an answer of ${consumer}`, ANSWER_TIMEOUT_MS);
      return `${consumer}: ${host} answers`;
    }
  }
}

/** Triton says so once it can be asked for models (KServe's protocol, version 2). */
async function requireReady(context: Context, url: string, consumer: string): Promise<void> {
  const request = { url, what: `the health of ${consumer}`, timeoutMs: ANSWER_TIMEOUT_MS };
  await exchange(context, request, async (response) => {
    if (!response.ok) throw await statusError(context, request, response);
    await response.body?.cancel();
  });
}
