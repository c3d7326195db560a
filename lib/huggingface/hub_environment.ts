import { join } from "node:path";
import { expandHome } from "../core/home_folder.ts";
import type { Context, Environment } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import { findText } from "../core/files.ts";
import { findToken, tokenOf } from "../core/read_secret.ts";
import type { Secret } from "../core/secret.ts";

/** The variable for the token that Hugging Face's libraries read. */
export const TOKEN_VARIABLE = "HF_TOKEN";

/** A token has 40 characters. */
const TOKEN_BYTES_MAX = 64 * 1024;

/** A token for the hub, if there is one. `place` is the variable or the file that holds it, or should. */
export interface HubToken {
  readonly token: Secret | undefined;
  readonly place: string;
}

/**
 * Returns the token for the hub from the variable. If the variable is `HF_TOKEN` and not set, the token that
 * `hf auth login` stored counts, as for Hugging Face's libraries: in `HF_TOKEN_PATH`, else in `token` of `HF_HOME`. Needs
 * read permission.
 *
 * @throws {AuthenticationError} code `TOKEN_INVALID`
 */
export function findHubToken(
  { env, fs, log }: Pick<Context, "env" | "fs" | "log">,
  variable: string,
): HubToken {
  const token = findToken(env, variable);
  const isFileMeant = variable === TOKEN_VARIABLE && !isTrue(env.get("HF_HUB_DISABLE_IMPLICIT_TOKEN"));
  if (token !== undefined || !isFileMeant) return { token, place: variable };
  const path = findPath(env, "HF_TOKEN_PATH") ?? join(hubHome(env), "token");
  try {
    const text = findText(fs, path, TOKEN_BYTES_MAX)?.trim() ?? "";
    if (text !== "") return { token: tokenOf(text, path), place: path };
  } catch (error) {
    // Not an error: public repositories need no token, and a service may have no access to the user's home folder.
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    log.debug(`the token in ${path} is not used: ${messageOf(error)}`);
  }
  return { token: undefined, place: variable };
}

/**
 * Returns whether `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE` is set, which keep Hugging Face's libraries off the
 * network.
 */
export function isHubOffline(env: Environment): boolean {
  const own = env.get("HF_HUB_OFFLINE") ?? "";
  return isTrue(own === "" ? env.get("TRANSFORMERS_OFFLINE") : own);
}

/**
 * Returns the cache folder of Hugging Face's libraries: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else in the user's
 * cache folder.
 */
export function hubCacheFolder(env: Environment): string {
  return findPath(env, "HF_HUB_CACHE") ?? findPath(env, "HUGGINGFACE_HUB_CACHE") ?? join(hubHome(env), "hub");
}

function hubHome(env: Environment): string {
  const cache = findPath(env, "XDG_CACHE_HOME") ?? expandHome("~/.cache", env);
  return findPath(env, "HF_HOME") ?? join(cache, "huggingface");
}

function findPath(env: Environment, name: string): string | undefined {
  const value = env.get(name);
  return value === undefined || value === "" ? undefined : expandHome(value, env);
}

/** Returns whether a switch is on, by the rules of huggingface_hub. */
function isTrue(value: string | undefined): boolean {
  return ["1", "ON", "YES", "TRUE"].includes(value?.toUpperCase() ?? "");
}
