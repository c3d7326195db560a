import type { Context } from "../core/context.ts";
import type { Git, GitOptions } from "./git.ts";
import { configInEnvironment, gitCredentials, TOKEN_USER } from "./git_credentials.ts";
import type { RegistrySettings } from "./registry_settings.ts";
import { parseRemoteUrl, type RemoteUrl } from "./remote_url.ts";

/** Makes git's other side, where we run it ourselves, do as hosted ones do, and not compress what does not compress. */
const LOCAL_UPLOAD_PACK =
  "git -c uploadpack.allowFilter=true -c uploadpack.allowAnySHA1InWant=true -c core.compression=0 -c pack.compression=0 " +
  "-c pack.window=0 -c core.bigFileThreshold=8m -c core.packedGitWindowSize=16m -c core.packedGitLimit=64m upload-pack";

/** As {@link LOCAL_UPLOAD_PACK}; `unpackLimit` keeps the pack that was sent instead of compressing its files again. */
const LOCAL_RECEIVE_PACK =
  "git -c receive.unpackLimit=1 -c core.compression=0 -c core.bigFileThreshold=8m -c gc.auto=0 receive-pack";

interface Aliases {
  /** How the remote's address stands in git's configuration, where it has a login. */
  readonly aliases?: readonly string[];
}

/** What git needs to reach the remote: options for one on this machine, a login or a token for its origin, an SSH that asks nothing. */
export async function remoteAccess(
  context: Context,
  git: Git,
  remoteUrl: RemoteUrl & Aliases,
  settings: RegistrySettings,
): Promise<Pick<GitOptions, "env" | "config" | "secrets">> {
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

/**
 * The password of an address goes before the token: git itself takes it first, too. An address in the configuration of
 * a user's clone is left there, but git is told to leave its login out: its helpers get the address as an argument.
 */
function httpAccess(
  { env }: Context,
  { url, origin, login: ofRemote, aliases = [] }: RemoteUrl & Aliases,
  { repoUrl, login: ofSettings, token }: RegistrySettings,
): Pick<GitOptions, "env" | "config" | "secrets"> {
  const isSettings = repoUrl !== undefined && parseRemoteUrl(repoUrl).origin === origin;
  const login = ofRemote ?? (isSettings ? ofSettings : undefined);
  const password = login?.password ?? token;
  const rewritten = aliases.map((alias) => [`url.${url}.insteadOf`, alias] as const);
  if (password === undefined) {
    // The machine's own helpers are asked for the password of this user.
    const user = login === undefined ? [] : [[`credential.${origin}.username`, login.user] as const];
    return { env: configInEnvironment(env, [...rewritten, ...user]) };
  }
  const credentials = gitCredentials(url, login?.user || TOKEN_USER, password);
  return { ...credentials, env: { ...credentials.env, ...configInEnvironment(env, rewritten) } };
}

/** SSH as the machine has it, but it must not ask on the terminal. `GIT_SSH` names a program of another kind. */
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
