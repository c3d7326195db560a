import { INSTANCE, isObject, type PickleValue } from "../pickle_value.ts";
import { FREE } from "../rules/rule.ts";
import { levelsOf } from "./value_measures.ts";

// Python frees nested lists, tuples and dictionaries in a loop. An array of objects frees its elements recursively on the C
// stack: about 2.7 KB for each nested array, of the 8 MB of a program or the 512 KB of a thread on macOS. A nested deque or
// defaultdict takes about a hundred bytes. So a file can crash a program, even long after it was loaded. Attackers nest such
// containers from the inside out, or put empty ones into each other and fill them afterwards.

/** The levels that an array of objects adds, and those that other containers add that C frees. */
export const ARRAY_LEVEL = 1;
export const FILLED_LEVEL = 1 / 50;

/** Nested arrays of objects; models have two or three. */
const LEVELS_MAX = 64;

/** Tracks how deeply containers are nested that C frees recursively. */
export class ContainerLevels {
  /** Levels of containers that were filled after another container held them, which does not include these levels. */
  #late = 0;

  /** Notes that values are held. Picklers fill values before that, except those that refer to themselves. */
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

  /** Notes that a container holds values. @returns whether the depth is within the limit */
  put(target: PickleValue, values: readonly PickleValue[], own = 0): boolean {
    let levels = own;
    for (const value of values) levels = Math.max(levels, own + levelsOf(value));
    // Objects that the user allows are not limited.
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

  /** Counts levels of a value that is not tracked. @returns whether the depth is within the limit */
  lose(levels: number): boolean {
    this.#late += levels;
    return this.#late <= LEVELS_MAX;
  }
}
