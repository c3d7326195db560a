import type { Context } from "../core/context.ts";
import { findToken } from "../core/read_secret.ts";
import { GITHUB_TIMEOUT_MS, type GitHubToken, githubUrls } from "../github/github_access.ts";
import { githubCredentials, githubToken } from "../github/github_credentials.ts";

/** Where a token may be; the first wins. */
const TOKEN_NAMES = ["HORDE_GITHUB_SYNC_GITHUB_TOKEN", "GITHUB_TOKEN"];

/**
 * The token of the reference sync: an App's, or one that is set. Who only reads needs none, and makes none for an App.
 *
 * @throws {UsageError} an App of which something is missing or wrong
 */
export function referencesToken(context: Context, isProposing: boolean): GitHubToken {
  if (!isProposing) {
    const tokens = TOKEN_NAMES.map((name) => findToken(context.env, name));
    return tokens.find((token) => token !== undefined);
  }
  const credentials = githubCredentials(context, TOKEN_NAMES);
  return githubToken(context, { ...githubUrls(context.env), timeoutMs: GITHUB_TIMEOUT_MS }, credentials);
}
