import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { messageAndHint } from "../core/errors.ts";
import { ifFound } from "../core/files.ts";

export interface FollowedSettingsOptions {
  /** The files that may be the configuration. The first that exists counts. */
  readonly paths: readonly string[];
  /** Loads the current configuration. */
  readonly load: () => Promise<ModelSync>;
}

/**
 * The configuration of a long-running command, reloaded when its file changes. While the file is invalid, the last
 * valid configuration stays in use, and one warning says why.
 */
export class FollowedSettings {
  readonly #context: Pick<Context, "fs" | "log">;
  readonly #options: FollowedSettingsOptions;
  #identity: string | undefined;
  #settings: Promise<ModelSync>;

  /** @param settings the configuration from the start of the command */
  constructor(
    context: Pick<Context, "fs" | "log">,
    options: FollowedSettingsOptions,
    settings: ModelSync,
  ) {
    this.#context = context;
    this.#options = options;
    this.#settings = Promise.resolve(settings);
    // The file may have changed since: the first read loads it again.
  }

  /** Returns the current settings. */
  read(): Promise<ModelSync> {
    const identity = this.#identify();
    if (identity !== undefined && identity !== this.#identity) {
      this.#identity = identity;
      this.#settings = this.#load(this.#settings);
    }
    return this.#settings;
  }

  /** Returns a function that returns whether the settings may have changed since its last call. */
  watch(): () => boolean {
    let seen = this.#settings;
    return () => {
      const now = this.read();
      const isChanged = now !== seen;
      seen = now;
      return isChanged;
    };
  }

  async #load(last: Promise<ModelSync>): Promise<ModelSync> {
    try {
      return await this.#options.load();
    } catch (error) {
      this.#context.log.warn(`keeping the previous configuration: ${messageAndHint(error)}`);
      return await last;
    }
  }

  /** Returns the identity of the file. A missing or empty file is being written: editors remove or empty it first. */
  #identify(): string | undefined {
    for (const path of this.#options.paths) {
      const info = this.#find(path);
      if (info !== undefined && info.size > 0) {
        return `${path} ${info.dev} ${info.ino} ${info.size} ${info.mtime?.getTime()}`;
      }
    }
    return undefined;
  }

  #find(path: string): Deno.FileInfo | undefined {
    try {
      return ifFound(() => this.#context.fs.statSync(path));
    } catch {
      // The next run reports the error.
      return undefined;
    }
  }
}
