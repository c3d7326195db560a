import { cleanLine } from "../core/clean_text.ts";
import { AuthenticationError, type ModelSyncError, UnreachableError } from "../core/errors.ts";
import type { Http } from "../core/context.ts";
import type { HubSettings } from "./hub_settings.ts";

/** How much of the hub's message ours quotes. */
const SAID_CHARS_MAX = 200;

/**
 * Returns an http that throws an error of ours when the hub refuses a request, and for every request if `HF_HUB_OFFLINE`
 * is set. The hub gives its reason in the header `X-Error-Code`. It answers a request without a token with 401 and
 * `RepoNotFound`.
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

/** Returns the address of a request as text. */
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
      return new AuthenticationError(`Cannot use ${repoId}: it is a gated repository on ${host}${saying}`, {
        code: "REPO_GATED",
        hint:
          `open ${endpoint}/${repoId} and accept its terms with the account of the token in ${tokenPlace}`,
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
      return new AuthenticationError(`Cannot use ${repoId}: ${host} requires a valid token (401)${saying}`, {
        code: "HTTP_401",
        hint: token === undefined
          ? `set ${tokenEnv} to a token of an account with access`
          : `${host} rejects the token in ${tokenPlace}: create a new one in its settings`,
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
        ? `check model_sync.huggingface.repo_id or --repo-id; if the repository is private, set ${tokenEnv}`
        : `check model_sync.huggingface.repo_id or --repo-id, and that the account of ${tokenPlace} has access; hf-upload creates the repository`,
    });
  }
  return new AuthenticationError(
    `Cannot use ${repoId}: ${host} has no such model repository, or shows it to its owners only (${status})`,
    {
      code: "REPO_NOT_FOUND",
      hint:
        `check model_sync.huggingface.repo_id or --repo-id; if the repository is private, set ${tokenEnv} to a token with read access`,
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
