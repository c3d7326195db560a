import type { Context } from "../core/context.ts";
import { type Askpass, createAskpass } from "./askpass.ts";
import type { Git, GitOptions } from "./git.ts";
import type { RegistrySettings } from "./registry.ts";
import type { RemoteUrl } from "./remote_url.ts";

/** Makes git's other side, where we run it ourselves, do as hosted ones do, and not compress what does not compress. */
const LOCAL_UPLOAD_PACK =
  "git -c uploadpack.allowFilter=true -c uploadpack.allowAnySHA1InWant=true -c core.compression=0 -c pack.compression=0 " +
  "-c pack.window=0 -c core.bigFileThreshold=8m -c core.packedGitWindowSize=16m -c core.packedGitLimit=64m upload-pack";

/** As {@link LOCAL_UPLOAD_PACK}; `unpackLimit` keeps the pack that was sent instead of compressing its files again. */
const LOCAL_RECEIVE_PACK =
  "git -c receive.unpackLimit=1 -c core.compression=0 -c core.bigFileThreshold=8m -c gc.auto=0 receive-pack";

/** What git needs to reach the remote: options for one on this machine, askpass for a token, an SSH that asks nothing. */
export async function remoteAccess(
  context: Context,
  git: Git,
  remoteUrl: RemoteUrl,
  settings: RegistrySettings,
  resources: DisposableStack,
): Promise<Pick<GitOptions, "env" | "config" | "secrets">> {
  const { remote, token } = settings;
  if (remoteUrl.isLocal) {
    return {
      config: [
        `remote.${remote}.uploadpack=${LOCAL_UPLOAD_PACK}`,
        `remote.${remote}.receivepack=${LOCAL_RECEIVE_PACK}`,
      ],
    };
  }
  if (remoteUrl.origin === undefined) return { env: await sshEnv(context, git) };
  if (token === undefined) return {};
  const askpass: Askpass = resources.use(createAskpass(token, remoteUrl.origin));
  // An empty helper resets the machine's own: they would be asked first, and could open a window.
  return { env: askpass.env, config: ["credential.helper="], secrets: [token] };
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
