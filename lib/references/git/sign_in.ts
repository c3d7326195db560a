import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { findEntry, PRIVATE_MODE } from "../../core/files.ts";
import type { Secret } from "../../core/secret.ts";
import type { Git } from "../../git/git.ts";
import { configInEnvironment, gitCredentials, TOKEN_USER } from "../../git/git_credentials.ts";
import { type Login, splitLogin } from "../../git/login.ts";
import { repositoryOf } from "./persistent_clone.ts";
import { fullName, type RepositoryAddress } from "./repository_address.ts";

/** Where the repository is, and what signs in there. */
interface Destination {
  readonly url: string;
  readonly login: Login | undefined;
  readonly token: Secret | undefined;
}

/**
 * Returns the git that signs in at the repository's host: with the token, or else with the login that the address of a
 * kept clone holds, as earlier scripts left it there.
 *
 * With a token, that login is removed from the clone. Without one it stays, because nothing else has it; then only the
 * owner may read the clone's configuration.
 */
export async function signIn(
  context: Context,
  git: Git,
  address: RepositoryAddress,
  { url, login, token }: Destination,
): Promise<Git> {
  const password = login?.password ?? token;
  const signedIn = password === undefined
    ? git
    : git.with(gitCredentials(url, login?.user || TOKEN_USER, password));
  const found = await originOf(context, git);
  const kept = found === undefined ? undefined : splitLogin(found);
  if (found === undefined || kept?.login === undefined) return signedIn;
  // A clone of something else is refused unchanged.
  if (repositoryOf(found, new URL(url)) !== fullName(address).toLowerCase()) return signedIn;
  return password === undefined
    ? useLogin(context, git, found)
    : await removeLogin(context, signedIn, kept.url);
}

async function removeLogin({ log }: Context, git: Git, url: string): Promise<Git> {
  await git.bytes(["remote", "set-url", "origin", url], {
    action: `remove the login from the address of the clone ${git.repoDir}`,
  });
  log.info(`removed the login from the address of the clone ${git.repoDir}; the token is used instead`);
  return git;
}

function useLogin({ env, fs }: Context, git: Git, found: string): Git {
  if (Deno.build.os !== "windows") fs.chmodSync(join(git.repoDir, ".git", "config"), PRIVATE_MODE);
  const { url, login } = splitLogin(found);
  // Git hands its helpers the address as an argument, which every user of the machine may read.
  const alias = { env: configInEnvironment(env, [[`url.${url}.insteadOf`, found]]) };
  if (login?.password === undefined) return git.with(alias);
  return git.with(alias).with(gitCredentials(url, login.user || TOKEN_USER, login.password));
}

async function originOf({ fs }: Context, git: Git): Promise<string | undefined> {
  if (findEntry(fs, join(git.repoDir, ".git")) === undefined) return undefined;
  const result = await git.attempt(["config", "--local", "--get", "remote.origin.url"], {
    action: "read the remote origin",
  });
  return result.code === 0 ? new TextDecoder().decode(result.stdout).trimEnd() : undefined;
}
