import { join } from "node:path";
import { absolutePath } from "../core/files.ts";
import type { ModelSync } from "../config/schema.ts";
import type { Context, Environment } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { isGitPath } from "../core/local_path.ts";
import { requirePassword } from "../core/read_secret.ts";
import type { Secret } from "../core/secret.ts";
import type { RegistrySettings } from "../git/registry_settings.ts";

/** The name of the clone's folder in the store, if the configuration names no folder. */
const CLONE_NAME = "registry";

/**
 * Returns the settings of the git registry.
 *
 * @param stateDir holds the clone if `repo_dir` is not set
 * @throws {UsageError} code `REPO_UNSET`; {@link AuthenticationError} code `TOKEN_MISSING`
 */
export function gitRegistrySettings(
  settings: ModelSync,
  { env, fs }: Pick<Context, "env" | "fs">,
  stateDir: string,
): RegistrySettings {
  const { repo_dir, repo_url } = settings;
  if (repo_dir === undefined && repo_url === undefined) throw registryUnset();
  return {
    repoDir: absolutePath(fs, repo_dir ?? join(stateDir, CLONE_NAME)),
    repoUrl: repo_url === undefined ? undefined : isGitPath(repo_url) ? absolutePath(fs, repo_url) : repo_url,
    remote: settings.remote,
    branch: settings.branch,
    token: readToken(settings, env),
    tokenVariable: settings.token_env,
    transferTimeoutMs: settings.git_timeout_sec * 1000,
    isInStore: repo_dir === undefined,
  };
}

/** Returns the error for a configuration without a git registry, or for none. */
export function registryUnset(): UsageError {
  return new UsageError("Cannot find the models repository: neither repo_dir nor repo_url is set", {
    code: "REPO_UNSET",
    hint:
      "to write a configuration, run model-sync init git-client --repo-url ADDRESS, or git-trainer where the models " +
      "are trained; or set --repo-url or model_sync.repo_url to the registry's address, or repo_dir to a clone",
  });
}

function readToken(settings: ModelSync, env: Environment): Secret | undefined {
  const { token_env } = settings;
  if (token_env === undefined) return undefined;
  // Git accepts any password: a user's own may contain spaces.
  const token = requirePassword(env, token_env, {
    failure: "Cannot authenticate to the models repository: ",
    advice: ", or remove model_sync.token_env",
  });
  return token.map((value) => value.trim());
}
