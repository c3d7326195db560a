import { PICKLE_LIMITS } from "../limits.ts";
import { isObject, type PickleValue, type TupleValue } from "../pickle_value.ts";
import { freedomOf, weightOf } from "./value_measures.ts";

// Keys with equal hashes are compared with each other, so a dictionary of n such keys takes n² / 2 comparisons: a small file
// could keep Python busy for hours. An attacker can create equal hashes:
//
// - of integers: adding a multiple of 2^61 - 1 does not change the hash;
// - of tuples and frozen sets: they mix the hashes of their items, and the mix can be inverted.
//
// Text is safe, because its hash depends on a secret of the process. So are values made of at most eight bytes, as a hash
// is: only a few of them have the same hash, of floats a few dozen. For other keys, the hash is computed as Python does. If
// that is not possible (floats, frozen sets, complex numbers), all such keys count as equal.

/** The hash of a Python integer is its remainder modulo this. Source: `_PyHASH_MODULUS` in CPython's `pyhash.h`. */
const MODULUS = (1n << 61n) - 1n;

/** Source: `_PyHASH_XXPRIME_1`, `_2` and `_5` in CPython's `tupleobject.c`, since 3.8. */
const PRIME_1 = 11400714785074694791n;
const PRIME_2 = 14029467366897019727n;
const PRIME_5 = 2870177450012600261n;

const HASH_BYTES = 8;

/** Small enough to cost little memory, large enough that a million keys of an honest file rarely share a bucket. */
const BUCKETS = 1 << 18;

/** Python's hash, and a secret one, which distinguishes different keys with equal hashes from repeated keys. */
type Hashes = readonly [hash: bigint, print: bigint];

/** Stands for text and for objects hashed by their address: a file cannot predict these hashes. */
const SECRET: Hashes = [1n, 1n];

/** Counts the keys with unknown hashes, which count as equal. */
export interface AlikeCount {
  alike: number;
}

/** Measures the work of hashing keys and comparing those with equal hashes, where hashing a number counts 1. */
export class HashCost {
  #spent = 0;
  /** The number of keys in each bucket of hashes. */
  #counts: Uint32Array | undefined;
  /** The secret hashes of known keys, by bucket: Python finds a repeated key at once. */
  #met: Uint32Array | undefined;
  readonly #modulus = secretModulus();

  /** Returns the work of hashing values and comparing them with earlier ones. */
  weigh(values: readonly PickleValue[], count: AlikeCount): number {
    let weight = 0;
    for (const value of values) weight += weightOf(value) + this.#collisions(value, count);
    return weight;
  }

  /** Counts work. @returns whether it is within the limit */
  spend(weight: number): boolean {
    this.#spent += weight;
    return this.#spent <= PICKLE_LIMITS.hashed;
  }

  /** Returns the number of keys that Python may compare with this one. */
  #collisions(value: PickleValue, count: AlikeCount): number {
    // Integers below the modulus have different hashes.
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
    // Zero stands for an empty slot.
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

  /** Mixes differently from Python, so that a file cannot make both hashes equal. */
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
