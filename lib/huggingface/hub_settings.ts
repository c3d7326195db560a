import type { ModelSync } from "../config/schema.ts";
import type { Context, Environment } from "../core/context.ts";
import { AuthenticationError, UsageError } from "../core/errors.ts";
import { absenceOf } from "../core/read_secret.ts";
import type { Secret } from "../core/secret.ts";
import { type AddressVariable, findWebAddress } from "../http/web_address.ts";
import type { RepoLayout } from "./repo_layout.ts";
import { findHubToken, isHubOffline, TOKEN_VARIABLE } from "./hub_environment.ts";

/** The public hub. `HF_ENDPOINT` names another one, as for Hugging Face's own tools. */
const PUBLIC_HUB = "https://huggingface.co";

/** A branch, tag or commit of a model repository on a hub. */
export interface HubSettings {
  /** The hub's address, without a trailing slash. */
  readonly endpoint: string;
  /** `owner/name`. */
  readonly repoId: string;
  readonly revision: string;
  readonly token: Secret | undefined;
  /** The variable that holds the token, for hints. */
  readonly tokenEnv: string;
  /** The place of the token: that variable, or the file of `hf auth login`. */
  readonly tokenPlace: string;
  /** Whether `HF_HUB_OFFLINE` is set, which forbids requests. */
  readonly isOffline: boolean;
}

/**
 * Returns the hub's settings from the configuration and the environment.
 *
 * @throws {UsageError} codes `REPO_UNSET`, `ENDPOINT_INVALID`; {@link AuthenticationError} code `TOKEN_INVALID`
 */
export function hubSettings(
  settings: ModelSync,
  context: Pick<Context, "env" | "fs" | "log">,
): HubSettings {
  const { env } = context;
  const { repo_id, revision, token_env } = settings.huggingface;
  if (repo_id === undefined) {
    throw new UsageError("Cannot use Hugging Face: repo_id is not set", {
      code: "REPO_UNSET",
      hint: "to write a configuration, run model-sync init huggingface --repo-id OWNER/NAME; " +
        "or set --repo-id or model_sync.huggingface.repo_id",
    });
  }
  const { token, place } = findHubToken(context, token_env);
  return {
    endpoint: findWebAddress(env, HUB_VARIABLE) ?? PUBLIC_HUB,
    repoId: repo_id,
    revision,
    token,
    tokenEnv: token_env,
    tokenPlace: place,
    isOffline: isHubOffline(env),
  };
}

/** The variable for the hub's address, which Hugging Face's own tools read, too. */
export const HUB_VARIABLE: AddressVariable = {
  name: "HF_ENDPOINT",
  meaning: "a hub",
  usual: PUBLIC_HUB,
  code: "ENDPOINT_INVALID",
};

/** Returns the configured rules for which files of the repository are models. */
export function repoLayout({ huggingface }: ModelSync): RepoLayout {
  const { path_in_repo, include, exclude } = huggingface;
  return { folder: path_in_repo, include, exclude };
}

/** @throws {AuthenticationError} code `TOKEN_MISSING` */
export function requireWriteToken(env: Environment, { repoId, token, tokenEnv }: HubSettings): void {
  if (token !== undefined) return;
  const problem = absenceOf(env, tokenEnv);
  throw new AuthenticationError(`Cannot upload to ${repoId}: the variable ${tokenEnv} ${problem}`, {
    code: "TOKEN_MISSING",
    hint: `set ${tokenEnv} in the environment or in .env to a token that may write to the repository` +
      (tokenEnv === TOKEN_VARIABLE ? ", or log in with: hf auth login" : ""),
  });
}
