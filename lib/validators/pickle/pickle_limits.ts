/** What a pickle may be at most. Checked against what is there, not against what it says. */
export const PICKLE_LIMITS = {
  // A model of 100 MiB in plain numbers has ten million; this many take some ten seconds to walk.
  opcodes: 200_000_000,
  // A vocabulary of a million words with a number beside each has four million; more of them are 200 MB of memory.
  memo: 5_000_000,
  // Picklers put a thousand items on the stack at a time, and a tuple or a frozen set whole.
  stack: 1_000_000,
  // Marks inside each other: Python's own recursion limit stops its pickler at a thousand.
  marks: 10_000,
  // A forest of everything in scikit-learn imports some hundred.
  globals: 10_000,
  // The longest names of modules and classes have about a hundred characters.
  nameBytes: 256,
  // Numbers in decimal: Python itself refuses to read more digits.
  numberBytes: 4300,
  // A tuple of arguments has up to a dozen; of larger ones only the size is of interest.
  tupleItems: 32,
  // A state that is looked into (joblib's arrays: 6, a dtype's fields) has few entries.
  dictEntries: 64,
  // Items of tuples and dictionaries that are remembered: 8 to 60 bytes of memory each.
  keptItems: 4_000_000,
  // Text that the memo remembers: as much as a vocabulary of a few million words.
  memoTextBytes: 64 * 1024 * 1024,
  // More wrapped or concatenated pickles than a file has for a reason; each costs a fresh start.
  pickles: 100_000,
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
