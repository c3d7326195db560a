import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { messageAndHint } from "../core/errors.ts";
import { ifFound } from "../core/files.ts";

export interface FollowedSettingsOptions {
  /** The files that may be the configuration; the first that there is counts. */
  readonly paths: readonly string[];
  /** Reads the configuration as it is now. */
  readonly load: () => Promise<ModelSync>;
}

/**
 * The configuration of a daemon, read again when its file has changed. While the file is broken, the last good
 * configuration stays, and one warning says why.
 */
export class FollowedSettings {
  readonly #context: Pick<Context, "fs" | "log">;
  readonly #options: FollowedSettingsOptions;
  #identity: string | undefined;
  #settings: Promise<ModelSync>;

  /** @param settings the configuration as it was read when the daemon started */
  constructor(
    context: Pick<Context, "fs" | "log">,
    options: FollowedSettingsOptions,
    settings: ModelSync,
  ) {
    this.#context = context;
    this.#options = options;
    this.#settings = Promise.resolve(settings);
    // The file may have changed since: the first look reads it once more.
  }

  /** Returns the settings as they are now. */
  read(): Promise<ModelSync> {
    const identity = this.#identify();
    if (identity !== undefined && identity !== this.#identity) {
      this.#identity = identity;
      this.#settings = this.#load(this.#settings);
    }
    return this.#settings;
  }

  /** Returns a function that says whether the settings may be others than at its last call. */
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
      this.#context.log.warn(`keeping the configuration of before: ${messageAndHint(error)}`);
      return await last;
    }
  }

  /** A file that is missing or empty is about to be written: editors replace or empty it first. */
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
      // The next run says what is wrong.
      return undefined;
    }
  }
}
