import { Buffer } from "node:buffer";
import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import * as z from "zod";
import type { Context } from "../core/context.ts";
import { AuthenticationError, UnreachableError, UsageError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { GitHubAccess, TokenSource } from "./github_access.ts";
import { GitHubClient } from "./github_client.ts";
import { githubRequest } from "./github_request.ts";

/** An installation of a GitHub App: an account with its own permissions and its own rate limit. */
export interface GitHubApp {
  /** The App's number or client id. */
  readonly id: string;
  readonly installationId: string;
  /** PEM: PKCS#1, as GitHub issues it, or PKCS#8. */
  readonly privateKey: Secret;
}

/** GitHub accepts a JWT for at most ten minutes. One minute on each side allows for clock skew. */
const ISSUED_BEFORE_SEC = 60;
const EXPIRES_AFTER_SEC = 9 * 60;

/** A token is replaced this long before it expires, so that git does not run longer than its token is valid. */
const RENEWED_BEFORE_MS = 5 * 60_000;

const InstallationToken = z.object({
  token: z.string().min(1),
  expires_at: z.iso.datetime({ offset: true }),
});

/**
 * Returns a source of tokens for an App's installation. A token is valid for an hour; the source requests the first one
 * when it is called, and a new one five minutes before the old one expires. The JWT is signed here, because octokit's
 * authentication does not use our clock.
 *
 * Source: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
 *
 * @throws {UsageError} code `APP_KEY_INVALID`. The source throws {@link AuthenticationError} code `APP_REFUSED`, and
 * the errors of {@link GitHubClient.send}
 */
export function appTokens(
  context: Context,
  server: Omit<GitHubAccess, "token">,
  app: GitHubApp,
): TokenSource {
  const key = readKey(app.privateKey);
  let made: { readonly token: Secret; readonly expiresMs: number } | undefined;
  return async () => {
    const now = context.clock.now();
    if (made === undefined || made.expiresMs - now.getTime() < RENEWED_BEFORE_MS) {
      const { token, expires_at } = await makeToken(context, server, app, appJwt(app.id, key, now));
      made = { token: new Secret(token), expiresMs: Date.parse(expires_at) };
    }
    return made.token;
  };
}

async function makeToken(
  context: Context,
  server: Omit<GitHubAccess, "token">,
  { id, installationId }: GitHubApp,
  jwt: Secret,
): Promise<z.infer<typeof InstallationToken>> {
  const client = await GitHubClient.open(context, { ...server, token: jwt });
  const request = githubRequest(
    (api) => api.apps.createInstallationAccessToken,
    { installation_id: Number(installationId) },
    {
      verb: "make",
      what: `a token for installation ${installationId} of the GitHub App ${id}`,
      needs: "contents:write and pull_requests:write",
      // A second token does no harm.
      isRepeatable: true,
    },
  );
  try {
    return (await client.send(request, InstallationToken)).data;
  } catch (error) {
    const isRefused = error instanceof AuthenticationError ||
      (error instanceof UnreachableError && error.code === "HTTP_404");
    if (!isRefused) throw error;
    throw new AuthenticationError(error.message, {
      code: "APP_REFUSED",
      cause: error,
      hint: "check GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID and the private key, and this machine's clock",
    });
  }
}

/** Returns a signed JWT (RFC 7519) with RS256 (RFC 7518, 3.3), as GitHub requires. */
function appJwt(id: string, key: KeyObject, now: Date): Secret {
  const nowSec = Math.floor(now.getTime() / 1000);
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const header = encode({ alg: "RS256", typ: "JWT" });
  const claims = encode({ iat: nowSec - ISSUED_BEFORE_SEC, exp: nowSec + EXPIRES_AFTER_SEC, iss: id });
  const signature = sign("RSA-SHA256", Buffer.from(`${header}.${claims}`), key);
  return new Secret(`${header}.${claims}.${signature.toString("base64url")}`);
}

function readKey(pem: Secret): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey(pem.reveal());
  } catch {
    // The library's message may contain parts of the key.
  }
  if (key?.asymmetricKeyType === "rsa") return key;
  throw new UsageError(
    key === undefined
      ? "Cannot use the private key of the GitHub App: it is damaged, encrypted or incomplete"
      : `Cannot use the private key of the GitHub App: it is of the type ${key.asymmetricKeyType}, not rsa`,
    {
      code: "APP_KEY_INVALID",
      hint: "use the whole .pem file that GitHub made for the App, from its BEGIN line to its END line",
    },
  );
}
