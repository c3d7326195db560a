import { describeOrigin } from "../config/config_error.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { ModelSync } from "../config/schema.ts";
import type { Environment } from "../core/context.ts";
import { STALL_MS } from "../http/download.ts";
import type { DownloadLimits } from "../http/download_types.ts";
import { AuthenticationError, UsageError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { findToken, tokenOf } from "../core/read_secret.ts";
import type { Secret } from "../core/secret.ts";
import { GITHUB_TIMEOUT_MS, githubUrls } from "../github/github_access.ts";
import { archiveLimits } from "./archived_models.ts";
import type { GitHubActionsSettings } from "./github_actions_source.ts";

/**
 * Returns the settings for the artifacts of a workflow.
 *
 * @param fallbackToken used if the environment has no token
 * @throws {UsageError} code `REPOSITORY_UNSET` or `ADDRESS_INVALID`; {@link AuthenticationError} code `TOKEN_MISSING`
 */
export function githubActionsSettings(
  settings: Pick<ModelSync, "artifacts" | "archives">,
  env: Environment,
  fallbackToken: Secret | undefined,
  bytesPerSecondMax: number | undefined,
): GitHubActionsSettings {
  const { artifacts } = settings;
  const { workflow, branch, conclusion, artifact } = artifacts;
  return {
    query: { ...repositoryOf(artifacts), workflow, branch, conclusion },
    artifact,
    access: {
      ...githubUrls(env),
      token: readToken(artifacts.token_env, env, fallbackToken),
      timeoutMs: GITHUB_TIMEOUT_MS,
    },
    download: downloadLimits(settings, bytesPerSecondMax),
    archives: archiveLimits(settings),
  };
}

/** Warns of a token that a configuration file holds, if the settings use it. */
export function warnOfTokenInFile(
  log: Pick<Log, "warn">,
  { access }: GitHubActionsSettings,
  inFile: LoadedConfig["githubToken"],
  variable: string,
): void {
  if (inFile?.origin.kind !== "file" || access.token !== inFile.token) return;
  const place = describeOrigin(inFile.origin);
  log.warn(
    `${place}: a token in a file can be read by everyone who can read the file; set ${variable} in the environment`,
  );
}

function downloadLimits(
  { artifacts, archives }: Pick<ModelSync, "artifacts" | "archives">,
  bytesPerSecondMax: number | undefined,
): DownloadLimits {
  return {
    stallMs: STALL_MS,
    totalMs: artifacts.download_timeout_sec * 1000,
    bytesMax: archives.max_download_bytes,
    bytesPerSecondMax,
  };
}

/** Returns owner and repository. The setting `repository` may name both: `you/your-bot`. */
function repositoryOf(artifacts: ModelSync["artifacts"]): { owner: string; repository: string } {
  const { owner, repository } = artifacts;
  const [first, second, third] = repository?.split("/") ?? [];
  if (owner !== undefined && first !== undefined && second === undefined) return { owner, repository: first };
  if (owner === undefined && first && second && third === undefined) {
    return { owner: first, repository: second };
  }
  throw new UsageError(
    repository === undefined || owner === undefined
      ? "Cannot find the artifacts: the repository whose workflow makes them is not set"
      : `Cannot find the artifacts: "${repository}" is not the name of a repository of ${owner}`,
    {
      code: "REPOSITORY_UNSET",
      hint:
        "to write a configuration, run model-sync init github-actions --repository OWNER/NAME --workflow FILE; " +
        "or set --owner and --repository, or model_sync.artifacts.owner and repository",
    },
  );
}

/** Reads the token. GitHub requires one even for public artifacts. */
function readToken(name: string, env: Environment, fallback: Secret | undefined): Secret {
  const token = findToken(env, name);
  if (token !== undefined) return token;
  if (fallback !== undefined) {
    tokenOf(fallback.reveal(), "the token in appsettings.json");
    return fallback;
  }
  throw new AuthenticationError("No GitHub token configured - cloud model sync will be disabled", {
    code: "TOKEN_MISSING",
    hint: `set ${name} in the environment or in .env to a token with the permission actions:read`,
  });
}
