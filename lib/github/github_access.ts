import type { Environment } from "../core/context.ts";
import type { Secret } from "../core/secret.ts";
import { type AddressVariable, findWebAddress } from "../http/web_address.ts";

/** Returns a valid token. An App's token expires after an hour, so that a stored one may be too old. */
export type TokenSource = () => Promise<Secret>;

/** The token for requests to GitHub; `undefined` for anonymous requests. */
export type GitHubToken = Secret | TokenSource | undefined;

/** Returns a valid token. @throws what the source throws */
export async function currentToken(token: GitHubToken): Promise<Secret | undefined> {
  return typeof token === "function" ? await token() : token;
}

/** A GitHub server and the token for it. */
export interface GitHubAccess {
  /** The root of the REST API, without a trailing slash. */
  readonly apiUrl: string;
  /** The root of the web pages, without a trailing slash. */
  readonly serverUrl: string;
  readonly token: GitHubToken;
  /** The time limit for one answer. */
  readonly timeoutMs: number;
}

/** GitHub ends a request after ten seconds; the rest allows for slow connections. */
export const GITHUB_TIMEOUT_MS = 60_000;

/**
 * Returns the addresses of GitHub from `GITHUB_API_URL` and `GITHUB_SERVER_URL`, which GitHub Actions sets. The default
 * is github.com. If only the server's address is set, the API is below it, as on Enterprise servers.
 *
 * @throws {UsageError} code `ADDRESS_INVALID`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { githubUrls } from "./github_access.ts";
 * const env = (variables: Record<string, string>) => ({ get: (name: string) => variables[name], toObject: () => variables });
 * assert.equal(githubUrls(env({})).apiUrl, "https://api.github.com");
 * assert.equal(githubUrls(env({ GITHUB_SERVER_URL: "https://git.example/" })).apiUrl, "https://git.example/api/v3");
 * assert.equal(githubUrls(env({ GITHUB_API_URL: "http://127.0.0.1:8080" })).apiUrl, "http://127.0.0.1:8080");
 * ```
 */
export function githubUrls(env: Environment): Pick<GitHubAccess, "apiUrl" | "serverUrl"> {
  const server = findWebAddress(env, SERVER_VARIABLE);
  const api = findWebAddress(env, API_VARIABLE);
  return {
    serverUrl: server ?? GITHUB_SERVER,
    apiUrl: api ?? (server === undefined || server === GITHUB_SERVER ? GITHUB_API : `${server}/api/v3`),
  };
}

const GITHUB_SERVER = "https://github.com";
const GITHUB_API = "https://api.github.com";

const MEANING = { meaning: "your GitHub server", usual: "github.com" };
const SERVER_VARIABLE: AddressVariable = { name: "GITHUB_SERVER_URL", ...MEANING };
const API_VARIABLE: AddressVariable = { name: "GITHUB_API_URL", ...MEANING };
