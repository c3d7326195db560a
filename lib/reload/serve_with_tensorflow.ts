import { basename, join } from "node:path";
import * as z from "zod";
import type { TensorFlowServingHook } from "../config/sections/reload.ts";
import type { Context } from "../core/context.ts";
import { FailedError, TransientError, UnreachableError } from "../core/errors.ts";
import { absolutePath, ifFound } from "../core/files.ts";
import { requestJson } from "../http/request.ts";
import { withRetry } from "../core/retry.ts";
import { OwnFolders, type PlacedFile } from "./own_folders.ts";
import { type ReloadNotification, reloadRetries } from "./reload_notification.ts";

/** TensorFlow Serving's versions are 64-bit numbers, with or without leading zeros. */
const VERSION = /^\d{1,19}$/;
const VERSION_MAX = 2n ** 63n - 1n;

/** TensorFlow Serving's default interval for finding new versions. */
const POLL_MS = 1_000;

const REQUEST_TIMEOUT_MS = 10_000;

/**
 * Creates a new version of a model for TensorFlow Serving: a folder with the next number, which appears by one rename
 * when it is whole. The server serves the largest number, so a rollback is a new version, too. With the address of the
 * REST API, waits until the version is served. At the end, removes older versions that this program created.
 */
export async function serveWithTensorflow(
  context: Context,
  hook: TensorFlowServingHook,
  notification: ReloadNotification,
): Promise<void> {
  const root = absolutePath(context.fs, hook.model_base_path);
  const versions = new OwnFolders(context, root, VERSION);
  const version = nextVersion(context, root);
  await versions.add(version, versionFiles(notification, hook.folder));
  context.log.info(`[MODEL-RELOAD] version ${version} in ${root}`);
  if (hook.url !== undefined) {
    const address = statusAddress(hook.url, hook.model ?? basename(root));
    await withRetry(context, reloadRetries(hook), () => waitUntilServed(context, hook, address, version));
  }
  await versions.keepNewest(hook.keep);
}

function versionFiles({ files, releaseDir }: ReloadNotification, folder: string | undefined): PlacedFile[] {
  const prefix = folder === undefined ? "" : `${folder}/`;
  const inside = files.filter((file) => file.path.startsWith(prefix));
  if (inside.length > 0) {
    return inside.map(({ path }) => ({ source: join(releaseDir, path), path: path.slice(prefix.length) }));
  }
  throw new FailedError(`the release has no folder ${folder}`, {
    code: "FOLDER_MISSING",
    hint: "check activation.reload: folder names the model's folder in the release",
  });
}

/** Returns one more than the largest version, including those of other programs. The server would not load a number again. */
function nextVersion({ fs }: Context, root: string): string {
  const names = ifFound(() => Array.from(fs.readDirSync(root), ({ name }) => name)) ?? [];
  const made = names.filter((name) => VERSION.test(name)).map(BigInt);
  const next = made.reduce((largest, version) => version > largest ? version : largest, 0n) + 1n;
  if (next <= VERSION_MAX) return String(next);
  throw new FailedError(`${root} has version ${VERSION_MAX} already, the largest possible`, {
    code: "VERSIONS_EXHAUSTED",
    hint: "remove the folder of that version",
  });
}

function statusAddress(url: string, model: string): string {
  return `${url.replace(/\/+$/, "")}/v1/models/${encodeURIComponent(model)}`;
}

/** TensorFlow Serving's GetModelStatus. Its JSON has 64-bit numbers as text. */
const ModelStatus = z.object({
  model_version_status: z.array(z.object({
    version: z.coerce.string(),
    state: z.string(),
    status: z.object({ error_message: z.string().optional() }).optional(),
  })),
});

async function waitUntilServed(
  context: Context,
  hook: TensorFlowServingHook,
  address: string,
  version: string,
): Promise<void> {
  const { clock, signal } = context;
  const untilMs = clock.monotonicMs() + hook.timeout_seconds * 1000;
  for (;;) {
    const state = await askState(context, address, version);
    if (state === "AVAILABLE") return;
    const leftMs = untilMs - clock.monotonicMs();
    if (leftMs <= 0) {
      throw new TransientError(`version ${version} is not served after ${hook.timeout_seconds} s: ${state}`, {
        code: "TIMEOUT",
        hint: "check the log of TensorFlow Serving, and which folder it serves",
      });
    }
    await clock.sleep(Math.min(POLL_MS, leftMs), signal);
  }
}

/** Returns the state of a version, or why it is unknown. @throws {FailedError} code `VERSION_FAILED` */
async function askState(context: Context, address: string, version: string): Promise<string> {
  try {
    const { data } = await requestJson(context, {
      url: address,
      headers: { accept: "application/json" },
      what: "the state of the model",
      timeoutMs: REQUEST_TIMEOUT_MS,
    }, ModelStatus);
    const found = data.model_version_status.find((status) => status.version === version);
    if (found?.state !== "END") return found?.state ?? "the server does not know it yet";
    throw new FailedError(
      `TensorFlow Serving did not load version ${version}: ${found.status?.error_message ?? ""}`,
      { code: "VERSION_FAILED", hint: "check the log of TensorFlow Serving" },
    );
  } catch (error) {
    // A starting server does not respond yet, and a server without any version responds with 404.
    if (!(error instanceof UnreachableError)) throw error;
    context.signal.throwIfAborted();
    return error.message;
  }
}
