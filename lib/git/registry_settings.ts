import type { Secret } from "../core/secret.ts";
import { type Login, splitLogin } from "./remote_url.ts";

/** Where the models' git repository is and how to reach it. */
export interface RegistrySettings {
  /** The clone on this machine. Made from `repoUrl` when there is none. */
  readonly repoDir: string;
  /** As it is configured; in `Registry.settings` without its login. */
  readonly repoUrl: string | undefined;
  /** The user and the password that the configured address held. */
  readonly login?: Login | undefined;
  readonly remote: string;
  readonly branch: string;
  readonly token: Secret | undefined;
  readonly transferTimeoutMs: number;
  /** It is at the default place in the store: whatever is there is this program's own. */
  readonly isInStore?: boolean;
}

/** Returns settings whose address is fit for git's configuration and command lines. */
export function withoutLogin(settings: RegistrySettings): RegistrySettings {
  if (settings.repoUrl === undefined) return settings;
  const { url, login } = splitLogin(settings.repoUrl);
  return { ...settings, repoUrl: url, login: login ?? settings.login };
}
