import { cleanLine } from "../core/clean_text.ts";
import { AuthenticationError, type ModelSyncError, UnreachableError } from "../core/errors.ts";
import type { Http } from "../core/context.ts";
import type { HubSettings } from "./hub_settings.ts";

/** As much of what the hub says as a message repeats. */
const SAID_CHARS_MAX = 200;

/**
 * Returns the same http, which refuses every request where `HF_HUB_OFFLINE` is set, and throws the error that the hub's
 * refusal means instead of returning its status. The hub names its reasons in the header `X-Error-Code`, and answers a
 * request without a token with 401 and `RepoNotFound`.
 */
export function withHubFailures(http: Http, settings: HubSettings): Http {
  const { origin } = new URL(settings.endpoint);
  return async (input, init) => {
    if (settings.isOffline) throw offline(settings);
    const response = await http(input, init);
    if (response.status < 400 || new URL(urlOf(input)).origin !== origin) return response;
    const failure = hubFailure(settings, response, new URL(urlOf(input)).pathname);
    if (failure === undefined) return response;
    await response.body?.cancel();
    throw failure;
  };
}

/** What `fetch` was asked for, as text. */
export function urlOf(input: URL | Request | string): string {
  return input instanceof Request ? input.url : String(input);
}

function hubFailure(settings: HubSettings, { status, headers }: Response, path: string) {
  const { endpoint, repoId, revision, token, tokenEnv, tokenPlace } = settings;
  const { host } = new URL(endpoint);
  const said = headers.get("x-error-message");
  const saying = said === null ? "" : `: ${cleanLine(said, { charsMax: SAID_CHARS_MAX })}`;
  switch (headers.get("x-error-code")) {
    case "GatedRepo":
      return new AuthenticationError(`Cannot use ${repoId}: ${host} keeps it behind a gate${saying}`, {
        code: "REPO_GATED",
        hint: `open ${endpoint}/${repoId}, accept its terms with the account whose token ${tokenPlace} holds`,
      });
    case "RepoNotFound":
      return repoNotFound(settings, status, host);
    case "RevisionNotFound":
      return new UnreachableError(`Cannot use ${repoId}: ${host} has no revision "${revision}" of it`, {
        code: "REVISION_NOT_FOUND",
        hint: "check --revision or model_sync.huggingface.revision: a branch, a tag or a whole commit",
      });
    case "EntryNotFound":
      return new UnreachableError(`Cannot use ${repoId}: ${host} has no ${decode(path)}`, {
        code: "ENTRY_NOT_FOUND",
        hint: "upload the models again, or check model_sync.huggingface.path_in_repo",
      });
    default:
      if (status !== 401) return undefined;
      return new AuthenticationError(`Cannot use ${repoId}: ${host} wants a valid token (401)${saying}`, {
        code: "HTTP_401",
        hint: token === undefined
          ? `set ${tokenEnv} to a token of an account that may`
          : `${tokenPlace} holds a token that ${host} does not take: create a new one in its settings`,
      });
  }
}

function repoNotFound(
  { repoId, token, tokenEnv, tokenPlace }: HubSettings,
  status: number,
  host: string,
): ModelSyncError {
  if (status === 404) {
    return new UnreachableError(`Cannot use ${repoId}: ${host} has no such model repository`, {
      code: "REPO_NOT_FOUND",
      hint: token === undefined
        ? `check --repo-id; if the repository is private, set ${tokenEnv}`
        : `check --repo-id, and that the account of ${tokenPlace} may see it; hf-upload creates it`,
    });
  }
  return new AuthenticationError(
    `Cannot use ${repoId}: ${host} has no such model repository, or shows it to its owners only (${status})`,
    {
      code: "REPO_NOT_FOUND",
      hint: `check --repo-id; if the repository is private, set ${tokenEnv} to a token that may read it`,
    },
  );
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function offline({ repoId, endpoint }: HubSettings): UnreachableError {
  const { host } = new URL(endpoint);
  return new UnreachableError(`Cannot request ${repoId} from ${host}: HF_HUB_OFFLINE is set`, {
    code: "HUB_OFFLINE",
    hint: "unset HF_HUB_OFFLINE (and TRANSFORMERS_OFFLINE)",
  });
}
