import type { Context, Environment } from "../core/context.ts";
import type { Secret } from "../core/secret.ts";
import type { Git, GitOptions } from "./git.ts";
import { REFUSED_LOGIN } from "./git_words.ts";
import type { RegistrySettings } from "./registry_settings.ts";
import { type Login, parseRemoteUrl, type RemoteUrl } from "./remote_url.ts";

/** The remote's side of git for a local repository: with the abilities of hosted ones, and without compression. */
const LOCAL_UPLOAD_PACK =
  "git -c uploadpack.allowFilter=true -c uploadpack.allowAnySHA1InWant=true -c core.compression=0 -c pack.compression=0 " +
  "-c pack.window=0 -c core.bigFileThreshold=8m -c core.packedGitWindowSize=16m -c core.packedGitLimit=64m upload-pack";

/**
 * As {@link LOCAL_UPLOAD_PACK}; `unpackLimit` keeps the pushed pack instead of compressing its files again, and `autoGC`
 * saves a process that a push would wait for.
 */
const LOCAL_RECEIVE_PACK =
  "git -c receive.unpackLimit=1 -c core.compression=0 -c core.bigFileThreshold=8m -c receive.autoGC=false receive-pack";

interface Aliases {
  /** The remote's address in git's configuration, if it contains a login. */
  readonly aliases?: readonly string[];
}

/**
 * Options with which git sends the credentials with its first request, instead of after a refusal. Git then follows no
 * redirect: it would send them to the other host, too.
 */
export type SignInAtOnce = Required<Pick<GitOptions, "env" | "config" | "secrets">>;

/** How git reaches a remote. */
export interface RemoteAccess extends Pick<GitOptions, "env" | "config" | "secrets" | "accessHint"> {
  /** `undefined` without a password. */
  readonly signInAtOnce?: SignInAtOnce | undefined;
}

/**
 * Returns the options with which git reaches the remote: settings for a local repository, credentials for an HTTP
 * origin, or an SSH that does not prompt.
 */
export async function remoteAccess(
  context: Context,
  git: Git,
  remoteUrl: RemoteUrl & Aliases,
  settings: RegistrySettings,
): Promise<RemoteAccess> {
  const { remote } = settings;
  if (remoteUrl.isLocal) {
    return {
      config: [
        `remote.${remote}.uploadpack=${LOCAL_UPLOAD_PACK}`,
        `remote.${remote}.receivepack=${LOCAL_RECEIVE_PACK}`,
      ],
    };
  }
  if (remoteUrl.origin === undefined) return { env: await sshEnv(context, git) };
  return httpAccess(context, remoteUrl, settings);
}

function httpAccess(
  { env }: Context,
  { url, origin, login: inAddress, aliases = [] }: RemoteUrl & Aliases,
  { repoUrl, login: configured, token, tokenVariable }: RegistrySettings,
): RemoteAccess {
  const isConfigured = repoUrl !== undefined && parseRemoteUrl(repoUrl).origin === origin;
  const login = inAddress ?? (isConfigured ? configured : undefined);
  const place = login?.password !== undefined
    ? "the password in its address"
    : token !== undefined && tokenVariable !== undefined
    ? `the token in ${tokenVariable}`
    : undefined;
  const access = { url, login, token, aliases };
  return {
    ...signIn(env, access),
    signInAtOnce: signInAtOnce(env, access),
    accessHint: place === undefined
      ? undefined
      : `the registry refuses ${place}: replace it by a valid one with access to this repository`,
  };
}

/** Returns the machine's own SSH command, without prompts. `GIT_SSH` names a program with other options. */
async function sshEnv(context: Context, git: Git): Promise<Record<string, string>> {
  let command = context.env.get("GIT_SSH_COMMAND");
  if (command === undefined && context.env.get("GIT_SSH") !== undefined) return {};
  if (command === undefined) {
    const configured = await git.attempt(["config", "--get", "core.sshCommand"], {
      action: "read core.sshCommand",
    });
    command = configured.code === 0 ? new TextDecoder().decode(configured.stdout).trim() : "ssh";
  }
  return { GIT_SSH_COMMAND: `${command} -o BatchMode=yes` };
}

/**
 * The credential helper for git and git-lfs. It answers for one origin only, so redirects and storage servers on other
 * hosts get no credentials. The secret is in its environment, never on a command line. The helper is not a file, so a
 * killed run leaves nothing.
 */
const HELPER =
  `!f() { case "$1" in get) ;; erase) echo "${REFUSED_LOGIN}" >&2; return 0 ;; *) return 0 ;; esac; ` +
  `scheme=; host=; ` +
  `while IFS= read -r line && [ -n "$line" ]; do case "$line" in ` +
  `protocol=*) scheme=\${line#*=} ;; host=*) host=\${line#*=} ;; esac; done; ` +
  `case "$scheme://$host" in "$MODEL_SYNC_GIT_ORIGIN"|"$MODEL_SYNC_GIT_ORIGIN_AS_TYPED") ` +
  `printf 'username=%s\\npassword=%s\\n' "$MODEL_SYNC_GIT_USER" "$MODEL_SYNC_GIT_PASSWORD" ;; esac; }; f`;

/** GitHub accepts any user name with a token, and requires this one with tokens of GitHub Apps. */
const TOKEN_USER = "x-access-token";

/** An `http(s)` address, and the credentials for its origin. */
export interface SignIn {
  /** Without a login. */
  readonly url: string;
  readonly login: Login | undefined;
  /** Used if the login has no password: git prefers the password of an address, too. */
  readonly token: Secret | undefined;
  /**
   * Addresses in git's configuration that hold a login. They stay there, but git uses `url` instead: git passes
   * addresses to its helpers as arguments, which every user of the machine can read.
   */
  readonly aliases?: readonly string[];
}

/** Returns the options with which git signs in at the origin of an address, and nowhere else. */
export function signIn(
  env: Environment,
  { url, login, token, aliases = [] }: SignIn,
): Pick<GitOptions, "env" | "config" | "secrets"> {
  const password = login?.password ?? token;
  const rewritten = rewriting({ url, aliases });
  if (password === undefined) {
    // The machine's own credential helpers are asked for this user's password.
    const user = login === undefined
      ? []
      : [[`credential.${new URL(url).origin}.username`, login.user] as const];
    return { env: configInEnvironment(env, [...rewritten, ...user]) };
  }
  const [asTyped = ""] = /^https?:\/\/[^/?#]*/i.exec(url) ?? [];
  return {
    env: {
      MODEL_SYNC_GIT_ORIGIN: new URL(url).origin,
      // Git passes the host as the address spells it: with its capital letters and its port.
      MODEL_SYNC_GIT_ORIGIN_AS_TYPED: asTyped,
      MODEL_SYNC_GIT_USER: login?.user || TOKEN_USER,
      MODEL_SYNC_GIT_PASSWORD: password.reveal(),
      ...configInEnvironment(env, rewritten),
    },
    // An empty helper resets the machine's own helpers: git would call them first, and they could open a window.
    config: ["credential.helper=", `credential.helper=${HELPER}`],
    secrets: [password],
  };
}

/** Returns {@link SignInAtOnce} for an address with a password; `undefined` without one, or if others could read it on the way. */
function signInAtOnce(
  env: Environment,
  { url, login, token, aliases = [] }: SignIn,
): SignInAtOnce | undefined {
  const password = login?.password ?? token;
  const origin = URL.canParse(url) ? new URL(url) : undefined;
  if (password === undefined || origin === undefined || !isPrivateLine(origin)) return undefined;
  const credentials = password.map((secret) =>
    btoa(String.fromCharCode(...new TextEncoder().encode(`${login?.user || TOKEN_USER}:${secret}`)))
  );
  return {
    env: configInEnvironment(env, [
      ...rewriting({ url, aliases }),
      [`http.${origin.origin}/.extraHeader`, `Authorization: Basic ${credentials.reveal()}`],
    ]),
    // Without a helper: git would send refused credentials a second time.
    config: ["http.followRedirects=false", "credential.helper="],
    secrets: [credentials],
  };
}

/** Whether requests are encrypted or stay on this machine. Others carry credentials only if the server requests them. */
function isPrivateLine({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}

function rewriting({ url, aliases = [] }: Pick<SignIn, "url" | "aliases">) {
  return aliases.map((alias) => [`url.${url}.insteadOf`, alias] as const);
}

/**
 * Returns environment variables that configure git as `-c` does, for values that may be secrets: every user of the
 * machine can read command lines. Settings from existing variables stay.
 */
function configInEnvironment(
  env: Environment,
  entries: readonly (readonly [key: string, value: string])[],
): Record<string, string> {
  if (entries.length === 0) return {};
  const count = Number(env.get("GIT_CONFIG_COUNT") ?? 0);
  const first = Number.isSafeInteger(count) && count > 0 ? count : 0;
  const variables = entries.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${first + index}`, key],
    [`GIT_CONFIG_VALUE_${first + index}`, value],
  ]);
  return { GIT_CONFIG_COUNT: String(first + entries.length), ...Object.fromEntries(variables) };
}
