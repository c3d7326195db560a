import { join } from "node:path";
import type { TritonHook } from "../config/sections/reload.ts";
import type { Context } from "../core/context.ts";
import { exchange } from "../http/request.ts";
import { statusError } from "../http/status_error.ts";
import { findEntry } from "../core/files.ts";
import { withRetry } from "../core/retry.ts";
import { type ReloadNotification, reloadRetries } from "./reload_notification.ts";

/**
 * Makes a Triton server (model control mode `explicit`) load the models of a release and unload removed ones, one after
 * the other, and checks that each is ready. The model folder is Triton's model repository.
 *
 * Triton skips even an explicit load if no file or folder of the model is newer than the loaded one (`ModelTimestamp` in
 * its model_repository_manager.cc), as after a rollback. So the folders of a model get the present time before it is
 * loaded. Files keep their times.
 */
export async function loadIntoTriton(
  context: Context,
  hook: TritonHook,
  notification: ReloadNotification,
): Promise<void> {
  const removed = topFolders(notification.changes.removed);
  const present = topFolders(notification.files.map((file) => file.path));
  const wanted = hook.models ?? [...present, ...removed];
  for (const model of new Set(wanted)) {
    if (!present.has(model)) {
      if (removed.has(model)) {
        context.log.info(`[MODEL-RELOAD] the release has no model ${model}: unloading it`);
      } else context.log.warn(`[MODEL-RELOAD] ${unknownModel(model)}: unloading it`);
      await call(context, hook, "POST", `repository/models/${encodeURIComponent(model)}/unload`);
      continue;
    }
    dateFolders(context, join(notification.modelsDir, model));
    await call(context, hook, "POST", `repository/models/${encodeURIComponent(model)}/load`);
    await call(context, hook, "GET", `models/${encodeURIComponent(model)}/ready`);
  }
}

/** The message for a configured model that the release lacks; its name may be misspelt. */
function unknownModel(model: string): string {
  return `no file of the release is in a folder ${model}, which activation.reload names as a model`;
}

/** Returns the address of a call of Triton's HTTP API. */
export function tritonAddress(hook: TritonHook, path: string): string {
  return `${hook.url.replace(/\/+$/, "")}/v2/${path}`;
}

/** Returns the names of a repository's models: its top folders. Files beside them belong to no model. */
function topFolders(paths: readonly string[]): Set<string> {
  return new Set(paths.filter((path) => path.includes("/")).map((path) => path.slice(0, path.indexOf("/"))));
}

function dateFolders({ fs, clock }: Pick<Context, "fs" | "clock">, folder: string): void {
  if (findEntry(fs, folder)?.isDirectory !== true) return;
  for (const entry of fs.readDirSync(folder)) {
    if (entry.isDirectory) dateFolders({ fs, clock }, join(folder, entry.name));
  }
  fs.utimeSync(folder, clock.now(), clock.now());
}

/** Calls Triton's HTTP API (its model repository extension, and KServe's protocol, version 2). */
async function call(context: Context, hook: TritonHook, method: "GET" | "POST", path: string): Promise<void> {
  const request = {
    url: tritonAddress(hook, path),
    method,
    ...(method === "POST" ? { headers: { "content-type": "application/json" }, body: "{}" } : {}),
    verb: "call",
    what: `v2/${path}`,
    timeoutMs: hook.timeout_seconds * 1000,
  };
  await withRetry(
    context,
    reloadRetries(hook),
    () =>
      exchange(context, request, async (response) => {
        if (!response.ok) throw await statusError(context, request, response);
        await response.body?.cancel();
      }),
  );
}
