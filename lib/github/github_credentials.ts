import { expandHome } from "../core/home_folder.ts";
import type { Context, Environment } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { type FileSystem, findText, UnusableFileError } from "../core/files.ts";
import { tokenOf } from "../core/read_secret.ts";
import { Secret } from "../core/secret.ts";
import type { GitHubAccess, GitHubToken } from "./github_access.ts";
import { appTokens, type GitHubApp } from "./github_app.ts";

/** The credentials for GitHub that the environment holds. */
export type GitHubCredentials =
  | { readonly kind: "app"; readonly app: GitHubApp }
  | { readonly kind: "token"; readonly token: Secret }
  | { readonly kind: "none" };

const APP_ID = "GITHUB_APP_ID";
const INSTALLATION_ID = "GITHUB_APP_INSTALLATION_ID";
const KEY = "GITHUB_APP_PRIVATE_KEY";
const KEY_PATH = "GITHUB_APP_PRIVATE_KEY_PATH";
/** The largest key, of 16,384 bits, has 13 KB. */
const KEY_BYTES_MAX = 64 * 1024;

/**
 * Returns the credentials for GitHub. An App (`GITHUB_APP_ID`, `GITHUB_APP_INSTALLATION_ID`, and
 * `GITHUB_APP_PRIVATE_KEY` or `GITHUB_APP_PRIVATE_KEY_PATH`) is preferred to a token. An incomplete App is an error
 * unless there is a token.
 *
 * @param tokenNames the variables that may hold a token, the preferred one first
 * @throws {UsageError} code `APP_INCOMPLETE`, `APP_INVALID` or `APP_KEY_INVALID`
 */
export function githubCredentials(
  { env, log, fs }: Pick<Context, "env" | "log" | "fs">,
  tokenNames: readonly string[],
): GitHubCredentials {
  const token = readToken({ env, log }, tokenNames);
  const settings = [APP_ID, INSTALLATION_ID, KEY, KEY_PATH].filter((name) =>
    valueOf(env, name) !== undefined
  );
  if (settings.length === 0) return token?.credentials ?? { kind: "none" };
  if (settings.includes(KEY) && settings.includes(KEY_PATH)) {
    throw new UsageError(`Cannot sign in as a GitHub App: both ${KEY} and ${KEY_PATH} are set`, {
      code: "APP_INVALID",
      hint: "unset one of them",
    });
  }
  const missing = missingOf(env);
  if (missing !== undefined) {
    const problem = `${settings.join(" and ")} ${
      settings.length === 1 ? "is" : "are"
    } set, ${missing} is not`;
    if (token === undefined) {
      throw new UsageError(`Cannot sign in as a GitHub App: ${problem}`, {
        code: "APP_INCOMPLETE",
        hint: `set ${missing}, or unset all of the App's variables and set ${tokenNames.at(-1)}`,
      });
    }
    log.warn(`The token of ${token.name} is used, not the GitHub App: ${problem}`);
    return token.credentials;
  }
  const app = readApp(env, fs);
  if (token !== undefined) log.warn(`The GitHub App is used, not the token of ${token.name}`);
  return { kind: "app", app };
}

/** Returns the token, or the source of tokens, for these credentials. @throws {UsageError} code `APP_KEY_INVALID` */
export function githubToken(
  context: Context,
  server: Omit<GitHubAccess, "token">,
  credentials: GitHubCredentials,
): GitHubToken {
  switch (credentials.kind) {
    case "app":
      return appTokens(context, server, credentials.app);
    case "token":
      return credentials.token;
    case "none":
      return undefined;
  }
}

function readToken(
  { env, log }: Pick<Context, "env" | "log">,
  names: readonly string[],
): { readonly name: string; readonly credentials: GitHubCredentials } | undefined {
  const found = names.flatMap((name) => {
    const value = valueOf(env, name);
    return value === undefined ? [] : [{ name, value }];
  });
  const [first, ...others] = found;
  if (first === undefined) return undefined;
  for (const { name } of others.filter(({ value }) => value !== first.value)) {
    log.warn(`The token of ${first.name} is used, not the other one of ${name}`);
  }
  return { name: first.name, credentials: { kind: "token", token: tokenOf(first.value, first.name) } };
}

function missingOf(env: Environment): string | undefined {
  if (valueOf(env, APP_ID) === undefined) return APP_ID;
  if (valueOf(env, INSTALLATION_ID) === undefined) return INSTALLATION_ID;
  return valueOf(env, KEY) === undefined && valueOf(env, KEY_PATH) === undefined
    ? `${KEY} (or ${KEY_PATH})`
    : undefined;
}

function readApp(env: Environment, fs: FileSystem): GitHubApp {
  const installationId = valueOf(env, INSTALLATION_ID) ?? "";
  if (!/^\d+$/.test(installationId)) {
    throw new UsageError(`Cannot sign in as a GitHub App: ${INSTALLATION_ID} is not a number`, {
      code: "APP_INVALID",
      hint: "it is at the end of the address of the installation's settings: …/installations/12345678",
    });
  }
  const path = valueOf(env, KEY_PATH);
  const text = path === undefined ? valueOf(env, KEY) ?? "" : readKeyFile(fs, expandHome(path, env));
  // A value of one line, as in an .env file, has \\n in place of line ends.
  const pem = text.replaceAll("\\r", "").replaceAll("\\n", "\n").trim();
  if (!pem.startsWith("-----BEGIN")) {
    throw new UsageError(
      `Cannot sign in as a GitHub App: ${path === undefined ? KEY : path} does not begin with -----BEGIN`,
      {
        code: "APP_KEY_INVALID",
        hint: path === undefined
          ? `put the whole key there, with \\n for its line ends, or its file's path into ${KEY_PATH}`
          : "name the .pem file that GitHub made for the App",
      },
    );
  }
  return { id: valueOf(env, APP_ID) ?? "", installationId, privateKey: new Secret(`${pem}\n`) };
}

function readKeyFile(fs: FileSystem, path: string): string {
  const unusable = (problem: string, cause?: unknown) =>
    new UsageError(`Cannot read ${path}, the private key of the GitHub App: ${problem}`, {
      code: "APP_KEY_INVALID",
      cause,
      hint: `check ${KEY_PATH} and the permissions of the file`,
    });
  let text: string | undefined;
  try {
    text = findText(fs, path, KEY_BYTES_MAX);
  } catch (error) {
    throw unusable(error instanceof UnusableFileError ? error.reason : "it cannot be opened", error);
  }
  if (text === undefined) throw unusable("there is no such file");
  return text;
}

/** Returns a variable's value. A blank one counts as unset: an `.env` file may have `NAME=` without a value. */
function valueOf(env: Environment, name: string): string | undefined {
  const value = env.get(name)?.trim();
  return value === "" ? undefined : value;
}
