import { PICKLE_LIMITS } from "./pickle_limits.ts";
import { type PickleValue, weightOf } from "./pickle_value.ts";

/** The hash of a Python integer is its remainder by this. Source: `_PyHASH_MODULUS` in CPython's `pyhash.h`. */
const MODULUS = (1n << 61n) - 1n;

/** Few enough to cost nothing, and enough that a million numbers of an honest file rarely share one. */
const BUCKETS = 1 << 16;

/** Counts what it takes to hash values and to compare those of the same hash, in numbers. */
export class HashCost {
  #spent = 0;
  /** Integers that Python may hash to the same place: each is compared with all others there. */
  #collisions: Uint32Array | undefined;

  /** What hashing all of them takes. */
  weigh(values: readonly PickleValue[]): number {
    let weight = 0;
    for (const value of values) {
      weight += weightOf(value) + (typeof value === "bigint" ? this.#addCollision(value) : 0);
    }
    return weight;
  }

  /** Whether as much more may be hashed; it is counted then. */
  spend(weight: number): boolean {
    this.#spent += weight;
    return this.#spent <= PICKLE_LIMITS.hashed;
  }

  /** Counts an integer, and returns how many before it may have its hash. */
  #addCollision(value: bigint): number {
    const size = value < 0n ? -value : value;
    // Below, every integer has a hash of its own.
    if (size < MODULUS) return 0;
    this.#collisions ??= new Uint32Array(BUCKETS);
    const hash = size % MODULUS;
    const bucket = Number((hash ^ (hash >> 16n) ^ (hash >> 32n) ^ (hash >> 48n)) & 0xffffn);
    const before = this.#collisions[bucket] ?? 0;
    this.#collisions[bucket] = before + 1;
    return before;
  }
}
