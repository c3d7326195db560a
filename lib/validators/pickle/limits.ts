/** What a pickle may be at most. Checked against what is there, not against what it says. */
export const PICKLE_LIMITS = {
  // Of a file, in all walks and entries together. A model of 100 MiB in plain numbers has twelve million; so many take
  // some fifteen seconds to walk.
  opcodes: 200_000_000,
  // Of a file however small: what 20 MB of numbers that compress well have. Two seconds.
  freeOpcodes: 10_000_000,
  // Of a compressed file for each of its bytes beyond that; trees and numbers have less than one. A bomb has a thousand.
  opcodesPerByte: 20,
  // A vocabulary of a million words with a number beside each has four million; more of them are 250 MB of memory.
  memo: 5_000_000,
  // Picklers put a thousand items on the stack at a time, and a tuple or a frozen set whole.
  stack: 1_000_000,
  // Marks inside each other: Python's own recursion limit stops its pickler at a thousand.
  marks: 10_000,
  // A forest of everything in scikit-learn imports some hundred.
  globals: 10_000,
  // The longest names of modules and classes have about a hundred characters.
  nameBytes: 256,
  // Numbers in decimal: Python itself refuses to read more digits, since 3.11; before, it takes hours for a million.
  numberBytes: 4300,
  // A tuple of arguments has up to a dozen, the names of a record's fields more; of larger ones only the size counts.
  tupleItems: 64,
  // A state that is looked into (joblib's arrays: 6, a dtype's fields) has few entries.
  dictEntries: 64,
  // Memory for tuples, dictionaries and dtypes that are remembered: a million pairs, or the states of 100,000 objects.
  // Of more only the kind is known.
  keptBytes: 160 * 1024 * 1024,
  // Hashing what is put into sets and dictionaries, in numbers: a tuple has as many as are in it, over and over where
  // it has the same one several times. Some seconds; every value of the largest file may be a key.
  hashed: 200_000_000,
  // Tuples inside each other that are hashed: Python's own pickler recurses no deeper.
  hashedNesting: 1000,
  // What loading a file may allocate that is not in it, and besides what its size allows: see `load_cost.ts`.
  allocations: 512 * 1024 * 1024,
  // Text that the memo remembers: as much as a vocabulary of a few million words.
  memoTextBytes: 64 * 1024 * 1024,
  // Names and versions beyond that on which a refusal depends: those of a few hundred thousand objects.
  decisiveTextBytes: 4 * 1024 * 1024,
  // More wrapped or concatenated pickles than a file has for a reason; each costs a fresh start.
  pickles: 100_000,
} as const;

/** What things take in V8's memory, with their arrays and tables, rounded up. */
export const KEPT_BYTES = {
  tuple: 136,
  tupleItem: 8,
  dict: 72,
  /** Its table, when something is put in. */
  dictTable: 120,
  dictEntry: 40,
  dtype: 120,
  instance: 88,
} as const;

/** How much of a file is read at a time. Payloads beyond it are skipped in files that are not compressed. */
export const READ_BYTES = 256 * 1024;

/** What decompressed contents may be at most. */
export const UNWRAP_LIMITS = {
  // Some minutes of decompressing, and more than the memory of the servers that models are made for.
  bytesMax: 16 * 1024 ** 3,
  // Trees of models shrink to a twentieth; only zeros reach deflate's thousandth, and so do bombs.
  ratioMax: 200,
  // What is that small is no bomb whatever its ratio.
  freeBytes: 64 * 1024 * 1024,
} as const;

/** Opcodes that may be walked in a file: in all its entries, and as often as it is walked. */
export interface OpcodeBudget {
  left: number;
  readonly max: number;
  /** Bytes that loading the file may still allocate besides what its opcodes stand for: see `load_cost.ts`. */
  allocations: number;
  /** What a message about it goes on with. */
  readonly reason: string;
}

/**
 * The budget of a file of `size` bytes, as it is stored. Time is bounded so, and on a slow machine the same files pass
 * as on a fast one.
 */
export function opcodeBudget(size: number): OpcodeBudget {
  const { allocations, freeOpcodes, opcodes, opcodesPerByte } = PICKLE_LIMITS;
  const ofSize = freeOpcodes + opcodesPerByte * size;
  if (ofSize >= opcodes) return { left: opcodes, max: opcodes, allocations, reason: "" };
  return { left: ofSize, max: ofSize, allocations, reason: `, which are too many for ${size} bytes` };
}
