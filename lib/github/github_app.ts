import { Buffer } from "node:buffer";
import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { AuthenticationError, UnreachableError, UsageError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { GitHubAccess, TokenSource } from "./github_access.ts";
import { GitHubClient } from "./github_client.ts";
import { githubRequest } from "./github_request.ts";

/** A GitHub App where it is installed: an account of its own, with permissions and a rate limit of its own. */
export interface GitHubApp {
  /** Its number, or its client id. */
  readonly id: string;
  readonly installationId: string;
  /** PEM, PKCS#1 as GitHub hands it out or PKCS#8. */
  readonly privateKey: Secret;
}

/** The times of a JWT, which GitHub gives ten minutes at most; a minute of it on each side is for clocks that differ. */
const ISSUED_BEFORE_SEC = 60;
const EXPIRES_AFTER_SEC = 9 * 60;

/** A token that lives shorter is replaced: the longest run of git must not outlive it. */
const RENEWED_BEFORE_MS = 5 * 60_000;

const InstallationToken = z.object({
  token: z.string().min(1),
  expires_at: z.iso.datetime({ offset: true }),
});

/**
 * The tokens of an App's installation, one for an hour: made with the first question, and anew five minutes before the
 * old one ends. Signed here, since octokit's way to sign in reads the time and pauses by clocks other than ours.
 *
 * Source: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
 *
 * @throws {UsageError} code `APP_KEY_INVALID`, at once. The source: {@link AuthenticationError} code `APP_REFUSED`, and
 * what a {@link GitHubClient} throws
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

/** RFC 7519 with RS256 (RFC 7518, 3.3), which is what GitHub takes. */
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
    // What the library says may hold parts of the key.
  }
  if (key?.asymmetricKeyType === "rsa") return key;
  throw new UsageError(
    key === undefined
      ? "Cannot use the private key of the GitHub App: it is damaged, encrypted or not whole"
      : `Cannot use the private key of the GitHub App: it is of the type ${key.asymmetricKeyType}, not rsa`,
    {
      code: "APP_KEY_INVALID",
      hint: "take the whole .pem file that GitHub made for the App, from its BEGIN line to its END line",
    },
  );
}
