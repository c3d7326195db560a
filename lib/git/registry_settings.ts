import type { Secret } from "../core/secret.ts";
import { type Login, splitLogin } from "./remote_url.ts";

/** The models' git repository, and how to reach it. */
export interface RegistrySettings {
  /** The clone on this machine, created from `repoUrl` if there is none. */
  readonly repoDir: string;
  /** As configured; in `Registry.settings` without its login. */
  readonly repoUrl: string | undefined;
  /** The user and the password of the configured address. */
  readonly login?: Login | undefined;
  readonly remote: string;
  readonly branch: string;
  readonly token: Secret | undefined;
  /** The variable that holds the token, for hints. */
  readonly tokenVariable?: string | undefined;
  readonly transferTimeoutMs: number;
  /** Time limit for one answer of the remote; the default is git's. */
  readonly answerTimeoutMs?: number | undefined;
  /** It is at the default path in the store, so it is a clone of our own in any case. */
  readonly isInStore?: boolean;
}

/** Returns settings whose address may appear in git's configuration and on command lines. */
export function withoutLogin(settings: RegistrySettings): RegistrySettings {
  if (settings.repoUrl === undefined) return settings;
  const { url, login } = splitLogin(settings.repoUrl);
  return { ...settings, repoUrl: url, login: login ?? settings.login };
}
