import { INSTANCE, isObject, type PickleValue } from "../pickle_value.ts";
import { FREE } from "../rules/rule.ts";
import { levelsOf } from "./value_measures.ts";

// Python frees lists, tuples and dictionaries inside each other in a loop. An array of objects frees its elements on the
// stack of C: some 2.7 KB for each array in an array, of 8 MB that a program has, and of 512 KB that a thread of macOS
// has. Of a deque and of a defaultdict it is a hundred bytes. Nothing of that is needed to load a file, and a program
// crashes long after. Attackers nest such containers from the inside out, or put them into each other while they are
// empty and fill them afterwards.

/** What an array of objects counts for, and other containers that C frees. */
export const ARRAY_LEVEL = 1;
export const FILLED_LEVEL = 1 / 50;

/** Arrays of objects inside each other; models have two or three. */
const LEVELS_MAX = 64;

/** Follows how deep containers that C frees are inside each other. */
export class ContainerLevels {
  /** Levels in containers that were filled when they were in another one, which does not know of them. */
  #late = 0;

  /** Notes that values are in something: picklers have filled them, but for those that refer to themselves. */
  hold(values: readonly PickleValue[]): void {
    for (const value of values) {
      if (!isObject(value)) continue;
      if (
        (value.kind === "list" || value.kind === "dict" || value.kind === "instance") && value !== INSTANCE
      ) {
        value.isHeld = true;
      }
    }
  }

  /** Notes that a container has values in it; returns whether that is no deeper than it may be. */
  put(target: PickleValue, values: readonly PickleValue[], own = 0): boolean {
    let levels = own;
    for (const value of values) levels = Math.max(levels, own + levelsOf(value));
    // What the user allows may do as it likes.
    const isFree = isObject(target) && target.kind === "instance" && target.rule === FREE;
    if (levels === 0 || isFree) return true;
    const isKnown = isObject(target) && target !== INSTANCE &&
      (target.kind === "list" || target.kind === "dict" || target.kind === "instance");
    if (!isKnown) return this.lose(levels);
    if (levels <= target.levels) return true;
    if (target.isHeld) this.#late += levels;
    target.levels = levels;
    return levels + this.#late <= LEVELS_MAX;
  }

  /** Notes levels of something that is not followed; returns whether that is no deeper than it may be. */
  lose(levels: number): boolean {
    this.#late += levels;
    return this.#late <= LEVELS_MAX;
  }
}
