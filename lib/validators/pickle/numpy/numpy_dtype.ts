import { type DtypeState, type DtypeValue, isObject, isPayload, type PickleValue } from "../pickle_value.ts";

// numpy trusts the sizes, flags and offsets in the state of a dtype: a forged state makes it read and write outside of its
// memory. So only the forms that numpy writes are accepted: the arguments (type, align, copy), and the state (version, byte
// order, (base, shape) of a sub-array, names, fields, bytes, alignment, flags, and since version 4 the unit of times).
// Source: `dtype.__reduce__` in numpy/core/src/multiarray/descriptor.c.

/** The versions of the state; 4 adds the unit of times. */
const VERSIONS = [3, 4];

/** The sizes of each kind of type; `S`, `U` and `V` have any size. */
const SIZES: Readonly<Record<string, readonly number[]>> = {
  b: [1],
  i: [1, 2, 4, 8],
  u: [1, 2, 4, 8],
  f: [2, 4, 8, 12, 16],
  c: [8, 16, 24, 32],
  M: [8],
  m: [8],
  // Machines of 32 bits write 4. Elsewhere, numpy would write a pointer of 8 bytes beyond the end of such an element.
  O: [8],
};

const TYPE = /^([biufcMmOSUV])(0|[1-9]\d{0,8})$/;

/** The bytes of a character in `U`. */
const UNICODE_BYTES = 4;

/**
 * The flags that numpy writes. Those of objects say that they are reference-counted, pickled as lists, pointers, and
 * initialised. With a wrong flag, numpy takes bytes of the file for addresses.
 */
const FLAGS = {
  unicode: 8,
  object: 63,
  /** Records inherit these from their fields: needs Python, initialised; for objects also counted and pickled as lists. */
  fields: [16, 24],
  objectFields: 27,
  /** The fields are laid out like those of a C struct. */
  aligned: 128,
} as const;

const ALIGNMENTS = [1, 2, 4, 8, 16];

/** More types than a record needs. Hashing and comparing a dtype visits all of them. */
const PARTS_MAX = 10_000;

/** Nested types, which numpy frees and hashes recursively on a stack of some hundred kilobytes. */
const DEPTH_MAX = 64;

/** numpy keeps sizes in a C int, where a larger one is negative. */
const BYTES_MAX = 2 ** 31 - 1;

/** Returns the dtype that a call creates, or the problem with it. */
export function makeDtype([made, align, copy, ...others]: readonly PickleValue[]): DtypeValue | string {
  const isFlag = (value: PickleValue | undefined) =>
    value === undefined || typeof value === "boolean" || value === 0 || value === 1;
  if (others.length > 0 || !isFlag(align) || !isFlag(copy)) {
    return "creates a numpy.dtype with arguments that numpy does not write";
  }
  // For a class of records, the fields follow in the state.
  if (made !== undefined && isObject(made) && made.kind === "global") {
    if (!/^numpy(\.rec|\._?core\.records)?:(record|void)$/.test(`${made.module}:${made.name}`)) {
      return "creates a numpy.dtype of an unexpected class";
    }
    return { kind: "dtype", type: "V", state: undefined, isBuilt: false };
  }
  const found = typeof made === "string" ? TYPE.exec(made) : null;
  const [, type = "", digits = ""] = found ?? [];
  const size = Number(digits);
  if (found === null || SIZES[type]?.includes(size) === false) {
    return "creates a numpy.dtype of an unexpected type";
  }
  const itemBytes = type === "U" ? size * UNICODE_BYTES : size;
  if (itemBytes > BYTES_MAX) return "creates a numpy.dtype that is larger than numpy allows";
  const state = {
    itemBytes,
    hasObject: type === "O",
    flags: flagsOfType(type),
    parts: 1,
    depth: 1,
    isSubArray: false,
  };
  return { kind: "dtype", type, state, isBuilt: false };
}

function flagsOfType(type: string): number {
  if (type === "O") return FLAGS.object;
  return type === "U" ? FLAGS.unicode : 0;
}

/** Returns the state that BUILD sets on a dtype, or the problem with it. */
export function buildDtype(dtype: DtypeValue, state: PickleValue): DtypeState | string {
  const items = isObject(state) && state.kind === "tuple" ? state.items : undefined;
  if (items === undefined || items.length < 8 || items.length > 9) {
    return "gives a numpy.dtype an unexpected state";
  }
  const [version, order, base = null, names = null, fields = null, bytes, alignment, flags, metadata] = items;
  if (typeof version !== "number" || !VERSIONS.includes(version)) {
    return "gives a numpy.dtype a state of an unknown version";
  }
  if (typeof bytes !== "number" || typeof flags !== "number" || !isOrder(order)) {
    return "gives a numpy.dtype an unexpected state";
  }
  if (!isMetadata(dtype.type, metadata)) return "gives a numpy.dtype unexpected metadata";
  if (alignment !== -1 && !(typeof alignment === "number" && ALIGNMENTS.includes(alignment))) {
    return "gives a numpy.dtype an alignment that numpy does not write";
  }
  const itemBytes = bytes === -1 ? dtype.state?.itemBytes : bytes;
  if (
    itemBytes === undefined || itemBytes < 0 || itemBytes > BYTES_MAX ||
    (dtype.state !== undefined && itemBytes !== dtype.state.itemBytes)
  ) {
    return "gives a numpy.dtype a size that contradicts its type";
  }
  const isSimple = base === null && fields === null && names === null;
  if (!isSimple && dtype.type !== "V") return "gives a numpy.dtype fields that contradict its type";
  const parts = isSimple ? [] : partsOf(base, names, fields, itemBytes);
  if (parts === undefined) return "gives a numpy.dtype unexpected fields";
  const count = parts.reduce((sum, part) => sum + part.parts, 1);
  if (count > PARTS_MAX) return `gives a numpy.dtype more than ${PARTS_MAX} types`;
  const depth = parts.reduce((most, part) => Math.max(most, 1 + part.depth), 1);
  if (depth > DEPTH_MAX) return `gives a numpy.dtype more than ${DEPTH_MAX} nested types`;
  const hasObject = dtype.type === "O" || parts.some((part) => part.hasObject);
  if (!fitFlags(flags, { dtype, base: base === null ? undefined : parts[0], hasObject, isSimple })) {
    return "gives a numpy.dtype flags that contradict its type";
  }
  return { itemBytes, hasObject, flags, parts: count, depth, isSubArray: base !== null };
}

function isOrder(order: PickleValue | undefined): boolean {
  return typeof order === "string" && /^[<>|=]$/.test(order);
}

/** Times have known metadata: no or an empty dictionary, and their unit, ("ns", 1, 1, 1). Other types have any dictionary. */
function isMetadata(type: string, metadata: PickleValue | undefined): boolean {
  if (metadata === undefined || metadata === null) return true;
  if (type !== "M" && type !== "m") return isObject(metadata) && metadata.kind === "dict";
  const [extra, unit] = isObject(metadata) && metadata.kind === "tuple" ? metadata.items ?? [] : [];
  const hasNoExtra = extra === null ||
    (extra !== undefined && isObject(extra) && extra.kind === "dict" && extra.entries?.size === 0);
  const [name, multiple, ...rest] = unit !== undefined && isObject(unit) && unit.kind === "tuple"
    ? unit.items ?? []
    : [];
  const isName = typeof name === "string" || isPayload(name);
  return hasNoExtra && isName && typeof multiple === "number" && multiple > 0 &&
    rest.length <= 2 && rest.every((value) => value === 1);
}

/** Returns the types of the fields or of a sub-array; `undefined` if they do not fit together or into an element. */
function partsOf(
  base: PickleValue,
  names: PickleValue,
  fields: PickleValue,
  itemBytes: number,
): DtypeState[] | undefined {
  if (base !== null) {
    const part = fields === null && names === null ? subArrayOf(base, itemBytes) : undefined;
    return part === undefined ? undefined : [part];
  }
  const listed = isObject(names) && names.kind === "tuple" ? names.items : undefined;
  const entries = isObject(fields) && fields.kind === "dict" ? fields.entries : undefined;
  if (listed === undefined || entries === undefined) return undefined;
  // Names and fields have to match exactly. Titles, which are second names of fields, are not supported.
  const isComplete = listed.length === entries.size && new Set(listed).size === listed.length &&
    listed.every((name) => typeof name === "string" && entries.has(name));
  if (!isComplete) return undefined;
  const placed = [...entries.values()].map((entry) => fieldOf(entry, itemBytes));
  if (!placed.every((field) => field !== undefined)) return undefined;
  const parts = placed.map(({ state }) => state);
  return parts.some((part) => part.hasObject) && overlap(placed) ? undefined : parts;
}

/** A field with its offset. */
interface PlacedField {
  readonly state: DtypeState;
  readonly offset: number;
}

/**
 * Whether two fields share a byte. If one of them is a pointer to an object, the other one sets its address, which numpy
 * follows. Fields without objects may share bytes, as in a union.
 */
function overlap(fields: readonly PlacedField[]): boolean {
  const places = fields.filter(({ state }) => state.itemBytes > 0).toSorted((a, b) => a.offset - b.offset);
  return places.some(({ offset }, at) => {
    const before = places[at - 1];
    return before !== undefined && before.offset + before.state.itemBytes > offset;
  });
}

/** Reads (dtype, shape), which have to fill the element. */
function subArrayOf(base: PickleValue, itemBytes: number): DtypeState | undefined {
  const items = isObject(base) && base.kind === "tuple" ? base.items : undefined;
  const [dtype, shape] = items ?? [];
  const state = stateOf(dtype);
  const count = countOfShape(shape);
  if (items?.length !== 2 || state === undefined || count === undefined) return undefined;
  return count * state.itemBytes === itemBytes ? state : undefined;
}

/** Reads (dtype, offset). */
function fieldOf(field: PickleValue, itemBytes: number): PlacedField | undefined {
  const items = isObject(field) && field.kind === "tuple" ? field.items : undefined;
  const [dtype, offset] = items ?? [];
  const state = stateOf(dtype);
  if (items?.length !== 2 || state === undefined || typeof offset !== "number") return undefined;
  const isInside = offset >= 0 && offset + state.itemBytes <= itemBytes;
  return isInside ? { state, offset } : undefined;
}

function stateOf(dtype: PickleValue | undefined): DtypeState | undefined {
  return dtype !== undefined && isObject(dtype) && dtype.kind === "dtype" ? dtype.state : undefined;
}

function fitFlags(
  flags: number,
  { dtype, base, hasObject, isSimple }: {
    readonly dtype: DtypeValue;
    /** The type of a sub-array's elements. */
    readonly base: DtypeState | undefined;
    readonly hasObject: boolean;
    readonly isSimple: boolean;
  },
): boolean {
  if (isSimple) return flags === flagsOfType(dtype.type);
  // Flags are a signed byte: with the aligned flag, they are negative.
  const unsigned = flags < 0 ? flags + 256 : flags;
  if (base !== undefined) return unsigned === (base.flags < 0 ? base.flags + 256 : base.flags);
  const plain = unsigned >= FLAGS.aligned ? unsigned - FLAGS.aligned : unsigned;
  return hasObject ? plain === FLAGS.objectFields : FLAGS.fields.some((one) => one === plain);
}

/** Returns the number of elements of a shape, which is 1 without dimensions; `undefined` if numpy does not write it. */
export function countOfShape(shape: PickleValue | undefined): number | undefined {
  const items = shape !== undefined && isObject(shape) && shape.kind === "tuple" ? shape.items : undefined;
  if (items === undefined) return undefined;
  let count = 1;
  // numpy multiplies in 64 bits, which must not overflow even if a later zero makes the result 0.
  let largest = 1;
  for (const item of items) {
    if (typeof item !== "number" || item < 0) return undefined;
    count *= item;
    largest *= Math.max(item, 1);
    if (largest > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return count;
}
