import type { Octokit } from "@octokit/rest";

/** Octokit's methods, one for each endpoint of the REST API. */
export type GitHubApi = Octokit["rest"];

/** The purpose of a request, for error messages. */
export interface RequestPurpose {
  /** The object of the request: `the runs of train.yml in you/bot`. */
  readonly what: string;
  /** The action: `create`. Default: `read`. */
  readonly verb?: string;
  /** The permission that a token needs: `actions:read`. */
  readonly needs: string;
  /** Whether a write may be sent twice because the second one changes nothing. A read may always. */
  readonly isRepeatable?: boolean;
}

/** A request to GitHub's REST API, made with {@link githubRequest}. */
export interface GitHubRequest extends RequestPurpose {
  readonly send: (api: GitHubApi, options: SendOptions) => Promise<ApiResponse>;
  /** Returns the address that a GET is sent to. */
  readonly address: (api: GitHubApi, page: number | undefined) => string;
}

/** The parameters that the client adds to a request. */
export interface SendOptions {
  readonly page?: number | undefined;
  readonly headers: Record<string, string>;
  readonly request: { readonly fetch: typeof fetch; readonly log: Pick<Console, "warn"> };
}

/** A successful answer, as octokit returns it. */
interface ApiResponse {
  readonly data: unknown;
  readonly headers: { readonly etag?: string; readonly link?: string };
}

/** A method of octokit for one endpoint. */
interface EndpointMethod<Parameters> {
  (parameters?: Parameters): Promise<ApiResponse>;
  readonly endpoint: (parameters: Parameters & { page: number | undefined }) => { readonly url: string };
}

/**
 * Returns a request to one endpoint. The compiler checks the parameters against GitHub's description of the endpoint.
 *
 * @example
 * ```ts
 * import { githubRequest } from "./github_request.ts";
 * githubRequest((api) => api.pulls.list, { owner: "you", repo: "bot", state: "open" }, {
 *   what: "the pull requests of you/bot",
 *   needs: "pull_requests:read",
 * });
 * ```
 */
export function githubRequest<Parameters extends object>(
  method: (api: GitHubApi) => EndpointMethod<Parameters>,
  parameters: NoInfer<Parameters>,
  purpose: RequestPurpose,
): GitHubRequest {
  return {
    ...purpose,
    send: (api, options) => method(api)({ ...parameters, ...options }),
    address: (api, page) => method(api).endpoint({ ...parameters, page }).url,
  };
}
