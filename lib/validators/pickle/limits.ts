/** The limits of a pickle. They are checked against the actual contents, not against announced sizes. */
export const PICKLE_LIMITS = {
  // In all walks and entries of a file together. A model of 100 MiB in plain numbers has twelve million. The limit takes
  // about fifteen seconds.
  opcodes: 200_000_000,
  // For a file of any size: as many as 20 MB of numbers that compress well. Takes two seconds.
  freeOpcodes: 10_000_000,
  // More for each byte of a compressed file. Trees and numbers have less than one a byte; a bomb has a thousand.
  opcodesPerByte: 20,
  // Entries in the memo. A vocabulary of a million words with numbers has four million. The limit takes 250 MB of memory.
  memo: 5_000_000,
  // Values on the stack. Picklers push a thousand items at a time, and a tuple or a frozen set as a whole.
  stack: 1_000_000,
  // Nested marks. Python's recursion limit stops its own pickler at a thousand.
  marks: 10_000,
  // Imports. A model with everything in scikit-learn has some hundred.
  globals: 10_000,
  // The longest names of modules and classes have about a hundred characters.
  nameBytes: 256,
  // Digits of a decimal number. Python since 3.11 refuses more; before, a million digits take it hours.
  numberBytes: 4300,
  // Tracked items of a tuple. Arguments are up to a dozen, names of a record's fields more, and numpy's dimensions 64.
  tupleItems: 64,
  // Tracked entries of a dictionary. States that are checked have few: joblib's arrays have 6.
  dictEntries: 64,
  // Our own memory for tracked tuples, dictionaries and dtypes: a million pairs, or the states of 100,000 objects. Of
  // further values, only the kind is known.
  keptBytes: 160 * 1024 * 1024,
  // The work of hashing keys and members of sets, in hashed numbers. A tuple counts all its items, repeated ones each
  // time. Takes some seconds; every value of the largest file may be a key.
  hashed: 200_000_000,
  // Nested tuples in a key. Python's own pickler recurses no deeper.
  hashedNesting: 1000,
  // Bytes that loading may allocate beyond what the size of the file allows: see `load_cost.ts`.
  allocations: 512 * 1024 * 1024,
  // Text in the memo: a vocabulary of a few million words.
  memoTextBytes: 64 * 1024 * 1024,
  // Names and versions beyond that, which decide about refusals: those of a few hundred thousand objects.
  decisiveTextBytes: 4 * 1024 * 1024,
  // Concatenated pickles and arrays. Each costs a new machine, and no file needs more.
  pickles: 100_000,
} as const;

/** The sizes of tracked values in V8's memory, with their arrays and tables, rounded up. */
export const KEPT_BYTES = {
  tuple: 136,
  tupleItem: 8,
  dict: 72,
  /** The table, created with the first entry. */
  dictTable: 120,
  dictEntry: 40,
  dtype: 120,
  instance: 88,
} as const;

/** The largest read. In files that are not compressed, longer payloads are skipped instead of read. */
export const READ_BYTES = 256 * 1024;

/** The limits of decompressed contents. */
export const UNWRAP_LIMITS = {
  // Takes some minutes, and exceeds the memory of the servers that load models.
  bytesMax: 16 * 1024 ** 3,
  // Tree models shrink to a twentieth. Only zeros, and bombs, reach deflate's maximum of a thousandth.
  ratioMax: 200,
  // Contents of up to this size are harmless whatever their ratio.
  freeBytes: 64 * 1024 * 1024,
} as const;

/** The opcodes that may still be walked in a file, in all its entries and all walks together. */
export interface OpcodeBudget {
  left: number;
  readonly max: number;
  /** Bytes that loading the file may still allocate beyond what its opcodes allow: see `load_cost.ts`. */
  allocations: number;
  /** The end of a message about the limit. */
  readonly reason: string;
}

/**
 * Returns the budget of a file with `size` stored bytes. A limit on opcodes instead of on time bounds the time, and gives
 * the same result on slow and fast machines.
 */
export function opcodeBudget(size: number): OpcodeBudget {
  const { allocations, freeOpcodes, opcodes, opcodesPerByte } = PICKLE_LIMITS;
  const ofSize = freeOpcodes + opcodesPerByte * size;
  if (ofSize >= opcodes) return { left: opcodes, max: opcodes, allocations, reason: "" };
  return { left: ofSize, max: ofSize, allocations, reason: `, which are too many for ${size} bytes` };
}
