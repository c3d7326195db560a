import type { Git, GitOptions } from "./git.ts";

/** A path without hooks. */
const NOWHERE = Deno.build.os === "windows" ? "NUL" : "/dev/null";

/**
 * Options with which git runs no hooks, checks every file itself and ignores replacement objects: what a publish writes
 * must depend on the models only, not on the clone or the user's configuration.
 */
export const PLAIN_GIT: Required<Pick<GitOptions, "config" | "env">> = {
  config: [`core.hooksPath=${NOWHERE}`, "core.fsmonitor=false", "core.ignoreStat=false"],
  env: { GIT_NO_REPLACE_OBJECTS: "1" },
};

/**
 * As {@link PLAIN_GIT}, with the attributes of the repository and the clone only: the user's filters and conversions do
 * not apply in a clone of our own.
 */
export const OWN_GIT: Required<Pick<GitOptions, "config" | "env">> = {
  config: [...PLAIN_GIT.config, `core.attributesFile=${NOWHERE}`],
  env: { ...PLAIN_GIT.env, GIT_ATTR_NOSYSTEM: "1" },
};

/** Fetches no blobs. The files of a release are fetched by name, and only those that the store does not have. */
export const BLOBLESS = "--filter=blob:none";

/**
 * Returns the settings for a fetch with {@link BLOBLESS}. They keep git from storing the settings in the clone, with
 * which every git command would fetch missing objects. The clone's commits must be complete, or the fetch never ends.
 */
export function bloblessFetch(remote: string): Pick<GitOptions, "config"> {
  return { config: [`remote.${remote}.promisor=true`, `remote.${remote}.partialclonefilter=blob:none`] };
}

/** As {@link missingIdentity}, in a repository whose configuration is not known yet. */
export async function findMissingIdentity(git: Git, host: string): Promise<string[]> {
  // Each entry ends with NUL, and a newline separates its name and value.
  const { stdout } = await git.attempt(["config", "-z", "--get-regexp", "^user\\.(name|email)$"], {
    action: "read the identity that git commits with",
  });
  const set = new TextDecoder().decode(stdout).split("\0").map((entry) => entry.split("\n", 1)[0]);
  return missingIdentity((key) => set.includes(key), host);
}

/** Returns settings with which git commits as model-sync on a machine without a git identity. */
export function missingIdentity(isConfigured: (key: string) => boolean, host: string): string[] {
  const identity = [["user.name", "model-sync"], ["user.email", `model-sync@${host}`]] as const;
  return identity.filter(([key]) => !isConfigured(key)).map(([key, value]) => `${key}=${value}`);
}
