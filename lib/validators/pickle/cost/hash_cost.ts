import { PICKLE_LIMITS } from "../limits.ts";
import { isObject, type PickleValue, type TupleValue } from "../pickle_value.ts";
import { freedomOf, weightOf } from "./value_measures.ts";

// Keys of the same hash are compared with each other, so that a dictionary of n of them takes n² / 2 comparisons. Text is
// hashed with a secret of each process. Floats are hashed as integers, and a few dozen have the same. Integers are not: a multiple of 2^61 - 1 more has the same hash. Tuples and
// frozen sets mix the hashes of their items, which is undone as easily as it is done. There are no more than a few keys of
// the same hash where all that they are made of is eight bytes, as a hash is. Of others, the hash is computed as Python
// does; where it cannot be (floats, frozen sets, complex numbers), all are taken for the same.

/** The hash of a Python integer is its remainder by this. Source: `_PyHASH_MODULUS` in CPython's `pyhash.h`. */
const MODULUS = (1n << 61n) - 1n;

/** Source: `_PyHASH_XXPRIME_1`, `_2` and `_5` in CPython's `tupleobject.c`, since 3.8. */
const PRIME_1 = 11400714785074694791n;
const PRIME_2 = 14029467366897019727n;
const PRIME_5 = 2870177450012600261n;

const HASH_BYTES = 8;

/** Few enough to cost nothing, and enough that a million keys of an honest file rarely share one. */
const BUCKETS = 1 << 18;

/** A hash as Python computes it, and one that no file can foresee, which tells keys of the same hash apart. */
type Hashes = readonly [hash: bigint, print: bigint];

/** Of text, and of what is hashed by its address: which value it is does not matter, as no file can foresee it. */
const SECRET: Hashes = [1n, 1n];

/** What is counted besides the hashes that are known: keys that are taken for the same. */
export interface AlikeCount {
  alike: number;
}

/** Counts what it takes to hash values and to compare those of the same hash, in numbers. */
export class HashCost {
  #spent = 0;
  /** How many keys have a hash, by its bucket. */
  #counts: Uint32Array | undefined;
  /** The prints of keys that were met, by their bucket: a key that is there already is found at once. */
  #met: Uint32Array | undefined;
  readonly #modulus = secretModulus();

  /** What hashing all of them takes, and comparing them with those before. */
  weigh(values: readonly PickleValue[], count: AlikeCount): number {
    let weight = 0;
    for (const value of values) weight += weightOf(value) + this.#collisions(value, count);
    return weight;
  }

  /** Whether as much more may be hashed; it is counted then. */
  spend(weight: number): boolean {
    this.#spent += weight;
    return this.#spent <= PICKLE_LIMITS.hashed;
  }

  /** With how many keys Python may compare this one. */
  #collisions(value: PickleValue, count: AlikeCount): number {
    // Below the modulus, every integer has a hash of its own.
    const isAlone = typeof value === "bigint"
      ? value < MODULUS && value > -MODULUS
      : !isObject(value) || freedomOf(value) <= HASH_BYTES;
    if (isAlone) return 0;
    const hashes = this.#hashesOf(value);
    return hashes === undefined ? count.alike++ : this.#meet(hashes);
  }

  #meet([hash, print]: Hashes): number {
    this.#counts ??= new Uint32Array(BUCKETS);
    this.#met ??= new Uint32Array(BUCKETS);
    const bucket = Number((hash ^ (hash >> 18n) ^ (hash >> 36n)) & BigInt(BUCKETS - 1));
    const slot = Number(print % BigInt(BUCKETS));
    // Never zero, which stands for an empty slot.
    const mark = Number(print & 0xffffffffn) || 1;
    const before = this.#counts[bucket] ?? 0;
    if (this.#met[slot] === mark) return Math.max(before - 1, 0);
    this.#met[slot] = mark;
    this.#counts[bucket] = before + 1;
    return before;
  }

  #hashesOf(value: PickleValue): Hashes | undefined {
    if (typeof value === "number" || typeof value === "bigint") return this.#ofInteger(BigInt(value));
    if (typeof value === "boolean") return this.#ofInteger(value ? 1n : 0n);
    if (value === null) return [3n, 3n];
    if (isObject(value) && value.kind === "tuple") return this.#ofTuple(value);
    return freedomOf(value) === 0 ? SECRET : undefined;
  }

  #ofInteger(value: bigint): Hashes {
    const hash = value < 0n ? -(-value % MODULUS) : value % MODULUS;
    const print = value % this.#modulus;
    return [BigInt.asUintN(64, hash === -1n ? -2n : hash), print < 0n ? print + this.#modulus : print];
  }

  /** Unlike Python's, so that no two tuples are made for both. */
  #scramble(print: bigint, lane: bigint): bigint {
    const product = BigInt.asUintN(64, (print ^ lane) * this.#modulus);
    return product ^ (product >> 32n);
  }

  #ofTuple({ items, freedom }: TupleValue): Hashes | undefined {
    if (items === undefined) return freedom === 0 ? SECRET : undefined;
    let hash = PRIME_5;
    let print = this.#modulus;
    for (const item of items) {
      const lanes = this.#hashesOf(item);
      if (lanes === undefined) return undefined;
      hash = mix(hash, lanes[0]);
      print = this.#scramble(print, lanes[1]);
    }
    return [BigInt.asUintN(64, hash + (BigInt(items.length) ^ PRIME_5 ^ 3527539n)), print];
  }
}

function mix(accumulated: bigint, lane: bigint): bigint {
  const sum = BigInt.asUintN(64, accumulated + lane * PRIME_2);
  return BigInt.asUintN(64, ((sum << 31n) | (sum >> 33n)) * PRIME_1);
}

function secretModulus(): bigint {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (1n << 62n) | (BigInt(high & 0x3fffffff) << 32n) | BigInt(low) | 1n;
}
