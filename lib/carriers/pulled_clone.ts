import type { Context } from "../core/context.ts";
import { settleJournal } from "../git/journal.ts";
import { Registry } from "../git/registry.ts";
import type { GitSourceOptions } from "./git_source_options.ts";

/** The clone that a pull reads. */
export class PulledClone {
  #registry: Registry;

  private constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Opens the clone, and creates it if there is none. */
  static async open(
    context: Context,
    { registry, owner, scratch }: GitSourceOptions,
  ): Promise<PulledClone> {
    const use = owner === "unlocked" ? { owner, scratch } : { owner };
    return new PulledClone(await Registry.open(context, registry, { clone: "blobless", ...use }));
  }

  /** Undoes a killed run's changes of the worktree. Called before anything else reads it. */
  async settle(context: Context): Promise<void> {
    await this.withReplacing((registry) => settleJournal(context, registry));
  }

  /** The clone, or the one that has replaced it. */
  get registry(): Registry {
    return this.#registry;
  }

  /**
   * Does work on the clone; does it again if it failed because of a damaged clone of our own, which is replaced.
   *
   * @param replaced called before the work is repeated
   */
  async withReplacing<Result>(
    work: (registry: Registry) => Promise<Result>,
    replaced: () => void = () => {},
  ): Promise<Result> {
    try {
      return await work(this.#registry);
    } catch (error) {
      this.#registry = await this.#registry.replaceAfter(error);
      replaced();
      return await work(this.#registry);
    }
  }
}
