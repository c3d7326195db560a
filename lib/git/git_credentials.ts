import type { Environment } from "../core/context.ts";
import type { Secret } from "../core/secret.ts";
import type { GitOptions } from "./git.ts";
import { REFUSED_LOGIN } from "./git_words.ts";

/**
 * The credential helper that git and git-lfs ask for a user name and a password. It answers for one origin alone, so a
 * redirect or a storage server on another host gets nothing. The secret comes in its environment, never on a command
 * line, and the helper is no file, so nothing is left when a run is killed.
 */
const HELPER =
  `!f() { case "$1" in get) ;; erase) echo "${REFUSED_LOGIN}" >&2; return 0 ;; *) return 0 ;; esac; ` +
  `scheme=; host=; ` +
  `while IFS= read -r line && [ -n "$line" ]; do case "$line" in ` +
  `protocol=*) scheme=\${line#*=} ;; host=*) host=\${line#*=} ;; esac; done; ` +
  `case "$scheme://$host" in "$MODEL_SYNC_GIT_ORIGIN"|"$MODEL_SYNC_GIT_ORIGIN_AS_TYPED") ` +
  `printf 'username=%s\\npassword=%s\\n' "$MODEL_SYNC_GIT_USER" "$MODEL_SYNC_GIT_PASSWORD" ;; esac; }; f`;

/** GitHub takes any user name with a token, and wants this one with the tokens of Apps. */
export const TOKEN_USER = "x-access-token";

/** Returns what lets git sign in at the origin of `url` as `user`, and nowhere else. */
export function gitCredentials(
  url: string,
  user: string,
  password: Secret,
): Required<Pick<GitOptions, "env" | "config" | "secrets">> {
  const [asTyped = ""] = /^https?:\/\/[^/?#]*/i.exec(url) ?? [];
  return {
    env: {
      MODEL_SYNC_GIT_ORIGIN: new URL(url).origin,
      // Git names the host as the address does: with its capital letters and its port.
      MODEL_SYNC_GIT_ORIGIN_AS_TYPED: asTyped,
      MODEL_SYNC_GIT_USER: user,
      MODEL_SYNC_GIT_PASSWORD: password.reveal(),
    },
    // An empty helper resets the machine's own: they would be asked first, and could open a window.
    config: ["credential.helper=", `credential.helper=${HELPER}`],
    secrets: [password],
  };
}

/**
 * Returns variables that set configuration for git as `-c` does, for values that may be secrets: every user of the
 * machine may read a command line. Settings that the environment makes already stay.
 */
export function configInEnvironment(
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
