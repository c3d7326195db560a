/**
 * The opcodes of the pickle protocols 0 to 5 with the encoding of their arguments. Source: `opcodes` in CPython's
 * `Lib/pickletools.py`; their effects are in `Lib/pickle.py`.
 */
const TABLE = [
  [0x28, "MARK", "none"],
  [0x29, "EMPTY_TUPLE", "none"],
  [0x2e, "STOP", "none"],
  [0x30, "POP", "none"],
  [0x31, "POP_MARK", "none"],
  [0x32, "DUP", "none"],
  [0x42, "BINBYTES", "bytes4"],
  [0x43, "SHORT_BINBYTES", "bytes1"],
  [0x46, "FLOAT", "floatLine"],
  [0x47, "BINFLOAT", "float8"],
  [0x49, "INT", "intLine"],
  [0x4a, "BININT", "int4"],
  [0x4b, "BININT1", "uint1"],
  [0x4c, "LONG", "longLine"],
  [0x4d, "BININT2", "uint2"],
  [0x4e, "NONE", "none"],
  [0x50, "PERSID", "line"],
  [0x51, "BINPERSID", "none"],
  [0x52, "REDUCE", "none"],
  [0x53, "STRING", "quotedLine"],
  [0x54, "BINSTRING", "text4signed"],
  [0x55, "SHORT_BINSTRING", "text1"],
  [0x56, "UNICODE", "escapedLine"],
  [0x58, "BINUNICODE", "text4"],
  [0x5d, "EMPTY_LIST", "none"],
  [0x61, "APPEND", "none"],
  [0x62, "BUILD", "none"],
  [0x63, "GLOBAL", "twoLines"],
  [0x64, "DICT", "none"],
  [0x65, "APPENDS", "none"],
  [0x67, "GET", "indexLine"],
  [0x68, "BINGET", "uint1"],
  [0x69, "INST", "twoLines"],
  [0x6a, "LONG_BINGET", "uint4"],
  [0x6c, "LIST", "none"],
  [0x6f, "OBJ", "none"],
  [0x70, "PUT", "indexLine"],
  [0x71, "BINPUT", "uint1"],
  [0x72, "LONG_BINPUT", "uint4"],
  [0x73, "SETITEM", "none"],
  [0x74, "TUPLE", "none"],
  [0x75, "SETITEMS", "none"],
  [0x7d, "EMPTY_DICT", "none"],
  [0x80, "PROTO", "uint1"],
  [0x81, "NEWOBJ", "none"],
  [0x82, "EXT1", "uint1"],
  [0x83, "EXT2", "uint2"],
  [0x84, "EXT4", "int4"],
  [0x85, "TUPLE1", "none"],
  [0x86, "TUPLE2", "none"],
  [0x87, "TUPLE3", "none"],
  [0x88, "NEWTRUE", "none"],
  [0x89, "NEWFALSE", "none"],
  [0x8a, "LONG1", "long1"],
  [0x8b, "LONG4", "long4"],
  [0x8c, "SHORT_BINUNICODE", "text1"],
  [0x8d, "BINUNICODE8", "text8"],
  [0x8e, "BINBYTES8", "bytes8"],
  [0x8f, "EMPTY_SET", "none"],
  [0x90, "ADDITEMS", "none"],
  [0x91, "FROZENSET", "none"],
  [0x92, "NEWOBJ_EX", "none"],
  [0x93, "STACK_GLOBAL", "none"],
  [0x94, "MEMOIZE", "none"],
  [0x95, "FRAME", "uint8"],
  [0x96, "BYTEARRAY8", "bytes8"],
  [0x97, "NEXT_BUFFER", "none"],
  [0x98, "READONLY_BUFFER", "none"],
] as const;

export type OpcodeName = (typeof TABLE)[number][1];

/**
 * The encoding of an argument: a number of so many bytes, a line, or a payload behind its length (`text4` has a length of
 * four bytes). Numbers are little-endian, except `float8`.
 */
export type ArgumentKind = (typeof TABLE)[number][2];

export interface Opcode {
  readonly name: OpcodeName;
  readonly argument: ArgumentKind;
}

/** The opcodes by their byte; `undefined` for invalid ones. */
export const OPCODES: readonly (Opcode | undefined)[] = byCode();

function byCode(): (Opcode | undefined)[] {
  const codes = new Array<Opcode | undefined>(256).fill(undefined);
  for (const [code, name, argument] of TABLE) codes[code] = { name, argument };
  return codes;
}

/** The first byte of a pickle since protocol 2; the number of the protocol follows. */
export const PROTO = 0x80;

/** The newest protocol (since Python 3.8). */
export const PROTOCOL_MAX = 5;
