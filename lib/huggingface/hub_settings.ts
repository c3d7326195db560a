import type { ModelSync } from "../config/schema.ts";
import type { Environment } from "../core/context.ts";
import { AuthenticationError, UsageError } from "../core/errors.ts";
import { redactUrls, Secret } from "../core/secret.ts";

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
  const token = env.get(token_env)?.trim() ?? "";
  // Copied from a page, it may have come with other signs, which no header takes.
  if (!/^[\x21-\x7e]*$/.test(token)) {
    throw new AuthenticationError(`Cannot use ${token_env}: it holds characters that no token has`, {
      code: "TOKEN_INVALID",
      hint: `set ${token_env} to the token alone, without spaces or quotation marks`,
    });
  }
  return {
    endpoint: readEndpoint(env),
    repoId: repo_id,
    revision,
    token: token === "" ? undefined : new Secret(token),
    tokenEnv: token_env,
  };
}

function readEndpoint(env: Environment): string {
  const text = env.get("HF_ENDPOINT")?.trim() ?? "";
  const endpoint = (text === "" ? PUBLIC_HUB : text).replace(/\/+$/, "");
  if (URL.canParse(endpoint) && ["http:", "https:"].includes(new URL(endpoint).protocol)) return endpoint;
  throw new UsageError(`Cannot use HF_ENDPOINT: "${redactUrls(endpoint)}" is not an http address`, {
    code: "ENDPOINT_INVALID",
    hint: `set it to the address of a hub, such as ${PUBLIC_HUB}, or unset it`,
  });
}
