import type { ModelSync } from "../config/schema.ts";
import type { Environment } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { findToken } from "../core/read_secret.ts";
import type { Secret } from "../core/secret.ts";
import { type AddressVariable, findWebAddress } from "../core/web_address.ts";

/** The public hub. `HF_ENDPOINT` names another, as for Hugging Face's own tools. */
const PUBLIC_HUB = "https://huggingface.co";

/** A branch, tag or commit of a model repository on a hub. */
export interface HubSettings {
  /** The hub's address, without a slash at its end. */
  readonly endpoint: string;
  /** `owner/name`. */
  readonly repoId: string;
  readonly revision: string;
  readonly token: Secret | undefined;
  /** The variable that holds the token, for hints. */
  readonly tokenEnv: string;
}

/**
 * What the configuration and the environment say about the hub.
 *
 * @throws {UsageError} codes `REPO_UNSET`, `ENDPOINT_INVALID`; {@link AuthenticationError} code `TOKEN_INVALID`
 */
export function hubSettings(settings: ModelSync, env: Environment): HubSettings {
  const { repo_id, revision, token_env } = settings.huggingface;
  if (repo_id === undefined) {
    throw new UsageError("Cannot tell which Hugging Face repository is meant: repo_id is not set", {
      code: "REPO_UNSET",
      hint: "set --repo-id or model_sync.huggingface.repo_id to owner/name",
    });
  }
  return {
    endpoint: findWebAddress(env, HUB_VARIABLE) ?? PUBLIC_HUB,
    repoId: repo_id,
    revision,
    token: findToken(env, token_env),
    tokenEnv: token_env,
  };
}

/** The variable of Hugging Face's own tools. */
export const HUB_VARIABLE: AddressVariable = {
  name: "HF_ENDPOINT",
  meaning: "a hub",
  usual: PUBLIC_HUB,
  code: "ENDPOINT_INVALID",
};
