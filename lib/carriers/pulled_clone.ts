import type { Registry } from "../git/registry.ts";

/** The clone that a pull reads. */
export class PulledClone {
  #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
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
