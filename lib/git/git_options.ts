import type { Git, GitOptions } from "./git.ts";

/** A place where no hook is, on any system. */
const NOWHERE = Deno.build.os === "windows" ? "NUL" : "/dev/null";

/**
 * Options under which git runs no hook, looks at every file itself, and takes every object for what its name says: what
 * a publish writes must depend on the models alone, whatever is in the clone or in the user's configuration.
 */
export const PLAIN_GIT: Required<Pick<GitOptions, "config" | "env">> = {
  config: [`core.hooksPath=${NOWHERE}`, "core.fsmonitor=false", "core.ignoreStat=false"],
  env: { GIT_NO_REPLACE_OBJECTS: "1" },
};

/**
 * As {@link PLAIN_GIT}, and no attributes but those that the repository and the clone hold: in a clone of our own, filters
 * and conversions that somebody has for all clones have nothing to do.
 */
export const OWN_GIT: Required<Pick<GitOptions, "config" | "env">> = {
  config: [...PLAIN_GIT.config, `core.attributesFile=${NOWHERE}`],
  env: { ...PLAIN_GIT.env, GIT_ATTR_NOSYSTEM: "1" },
};

/** Without blobs: the files of a release are fetched by name, and only those that the store does not hold. */
export const BLOBLESS = "--filter=blob:none";

/**
 * What a fetch with {@link BLOBLESS} is told, so that it does not write it down: by these settings git fetches whatever
 * it misses, in every command. The commits of the clone have to be known to be whole, or the fetch never ends.
 */
export function bloblessFetch(remote: string): Pick<GitOptions, "config"> {
  return { config: [`remote.${remote}.promisor=true`, `remote.${remote}.partialclonefilter=blob:none`] };
}

/** The settings by which a machine without a git identity commits as model-sync; none where it has one. */
export async function missingIdentity(git: Git, host: string): Promise<string[]> {
  const identity = [["user.name", "model-sync"], ["user.email", `model-sync@${host}`]] as const;
  // Each ends with NUL, and a line's end stands between its name and its value.
  const { stdout } = await git.attempt(["config", "-z", "--get-regexp", "^user\\.(name|email)$"], {
    action: "read the identity that git commits with",
  });
  const set = new TextDecoder().decode(stdout).split("\0").map((entry) => entry.split("\n", 1)[0]);
  return identity.filter(([name]) => !set.includes(name)).map(([name, value]) => `${name}=${value}`);
}
