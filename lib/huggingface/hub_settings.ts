import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import { type AddressVariable, findWebAddress } from "../http/web_address.ts";
import type { RepoLayout } from "./repo_layout.ts";
import { findHubToken, isHubOffline } from "./hub_environment.ts";

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
  /** Where the token stands: that variable, or the file of `hf auth login`. */
  readonly tokenPlace: string;
  /** Whether `HF_HUB_OFFLINE` is set: then no request is sent. */
  readonly isOffline: boolean;
}

/**
 * What the configuration and the environment say about the hub.
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
    throw new UsageError("Cannot tell which Hugging Face repository is meant: repo_id is not set", {
      code: "REPO_UNSET",
      hint: "set --repo-id or model_sync.huggingface.repo_id to owner/name",
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

/** The variable of Hugging Face's own tools. */
export const HUB_VARIABLE: AddressVariable = {
  name: "HF_ENDPOINT",
  meaning: "a hub",
  usual: PUBLIC_HUB,
  code: "ENDPOINT_INVALID",
};

/** Returns which files of the repository are models, as the configuration has it. */
export function repoLayout({ huggingface }: ModelSync): RepoLayout {
  const { path_in_repo, include, exclude } = huggingface;
  return { folder: path_in_repo, include, exclude };
}
