import { join } from "node:path";
import {
  DiskError,
  FailedError,
  type ModelSyncError,
  UnreachableError,
  UsageError,
} from "../../lib/core/errors.ts";
import { causesOf } from "../install/deno_causes.ts";
import type { Build } from "./compile_options.ts";

/** The part of Deno's message about a downloaded runtime that was cut off, for example by a kill. */
export const INCOMPLETE_RUNTIME = /Failed to unpack archive/;

/**
 * Returns the error for a failed `deno compile`: one line in place of Deno's causes and stack traces.
 *
 * @param stderr what `deno compile` printed, without colours
 * @param runtimes the folder in which Deno keeps what it downloads
 */
export function compileError(stderr: string, { target, path }: Build, runtimes: string): ModelSyncError {
  const causes = causesOf(stderr);
  const cause = causes.at(-1) ?? "deno compile printed no reason";
  const what = `Cannot compile for ${target.name}`;
  const [, url, file = ""] = /(https?:\/\/[^\s/]+\/([^\s)]*denort[^\s)]*))/.exec(stderr) ?? [];
  if (url !== undefined) {
    return new UnreachableError(`${what}: cannot download Deno's runtime from ${url}: ${cause}`, {
      code: "RUNTIME_DOWNLOAD",
      hint: `set HTTPS_PROXY, or copy that file to ${
        join(runtimes, file)
      }, or run model-sync from the clone with deno task`,
    });
  }
  if (/os error 28\b|os error 112\b|No space left/.test(stderr)) {
    return new DiskError(`${what}: no space left on the disk of ${path}`, {
      code: "DISK",
      hint: "free 300 MB, or choose another disk with --output",
    });
  }
  if (/Could not find denort|Invalid object/.test(stderr)) return runtimeError(what, cause);
  return new FailedError(`${what}: ${causes.join(": ")}`, { code: "COMPILE" });
}

/** Returns the error for an executable of this machine that was written and does not start. */
export function startError({ target, path }: Build): ModelSyncError {
  return runtimeError(`Cannot compile for ${target.name}`, `${path} does not start`);
}

function runtimeError(what: string, cause: string): ModelSyncError {
  return new UsageError(`${what}: Deno's runtime is not usable: ${cause}`, {
    code: "RUNTIME_FILE",
    hint: "set DENORT_BIN to the file denort of the same Deno version, or unset it to download the runtime",
  });
}

/** Returns the error for packages that Deno could not download or read. */
export function packageError(stderr: string): ModelSyncError {
  return new FailedError(`Cannot load the packages of model-sync: ${causesOf(stderr).join(": ")}`, {
    code: "PACKAGES",
    hint: "check the connection to the npm registry, then compile again",
  });
}
