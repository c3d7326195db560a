import type { GitOptions } from "./git.ts";

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
