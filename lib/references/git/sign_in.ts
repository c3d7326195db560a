import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { findEntry, PRIVATE_MODE } from "../../core/files.ts";
import type { Git } from "../../git/git.ts";
import { type SignIn, signIn } from "../../git/remote_access.ts";
import { splitLogin } from "../../git/remote_url.ts";
import { repositoryOf } from "./persistent_clone.ts";
import { fullName, type RepositoryAddress } from "./repository_address.ts";

/**
 * Returns a git that signs in at the repository's host: with the token, or without one with the login that earlier
 * scripts left in the address of a kept clone.
 *
 * With a token, that login is removed from the clone. Without one it stays, because it is stored nowhere else, and the
 * clone's configuration becomes readable by its owner only.
 */
export async function signInToTarget(
  context: Context,
  git: Git,
  address: RepositoryAddress,
  { url, login, token }: SignIn,
): Promise<Git> {
  const signedIn = git.with(signIn(context.env, { url, login, token }));
  const found = await originOf(context, git);
  const kept = found === undefined ? undefined : splitLogin(found);
  if (found === undefined || kept?.login === undefined) return signedIn;
  // A clone of another repository is refused later and stays unchanged.
  if (repositoryOf(found, new URL(url)) !== fullName(address).toLowerCase()) return signedIn;
  if ((login?.password ?? token) !== undefined) return await removeLogin(context, signedIn, kept.url);
  if (Deno.build.os !== "windows") {
    context.fs.chmodSync(join(git.repoDir, ".git", "config"), PRIVATE_MODE);
  }
  return git.with(
    signIn(context.env, { url: kept.url, login: kept.login, token: undefined, aliases: [found] }),
  );
}

async function removeLogin({ log }: Context, git: Git, url: string): Promise<Git> {
  await git.bytes(["remote", "set-url", "origin", url], {
    action: `remove the login from the address of the clone ${git.repoDir}`,
  });
  log.info(`removed the login from the address of the clone ${git.repoDir}; the token is used instead`);
  return git;
}

async function originOf({ fs }: Context, git: Git): Promise<string | undefined> {
  if (findEntry(fs, join(git.repoDir, ".git")) === undefined) return undefined;
  const result = await git.attempt(["config", "--local", "--get", "remote.origin.url"], {
    action: "read the remote origin",
  });
  return result.code === 0 ? new TextDecoder().decode(result.stdout).trimEnd() : undefined;
}
