import type { Environment } from "../core/context.ts";
import type { Secret } from "../core/secret.ts";
import { type AddressVariable, findWebAddress } from "../http/web_address.ts";

/** A token that is made when it is asked for: an App's lives for an hour. */
export type TokenSource = () => Promise<Secret>;

/** As whom GitHub is talked to; `undefined` for nobody. */
export type GitHubToken = Secret | TokenSource | undefined;

/** The token of this moment. @throws what the source throws */
export async function currentToken(token: GitHubToken): Promise<Secret | undefined> {
  return typeof token === "function" ? await token() : token;
}

/** Which GitHub is talked to, and as whom. */
export interface GitHubAccess {
  /** The root of the REST API, without a slash at its end. */
  readonly apiUrl: string;
  /** The root of the pages that people look at, without a slash at its end. */
  readonly serverUrl: string;
  readonly token: GitHubToken;
  /** The longest time for one answer. */
  readonly timeoutMs: number;
}

/** GitHub gives up on an answer after ten seconds itself; the rest is for slow lines. */
export const GITHUB_TIMEOUT_MS = 60_000;

/**
 * Where GitHub is: `GITHUB_API_URL` and `GITHUB_SERVER_URL`, as GitHub Actions sets them, else github.com. The API of
 * an Enterprise server of which only the second is set is where those have it.
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
