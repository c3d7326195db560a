import { type DtypeState, type DtypeValue, isObject, isPayload, type PickleValue } from "../pickle_value.ts";

// What numpy writes: `dtype.__reduce__`, which is (type, align, copy), and the state (version, byte order, (base, shape)
// of a sub-array, names, fields, bytes, alignment, flags, and from version 4 on the unit of times).
// Source: numpy/core/src/multiarray/descriptor.c. numpy takes the sizes, flags and offsets of a state as they are: what
// does not fit together makes it read and write outside of its memory.

/** Layouts of the state: 3, and 4, which adds the unit of times. */
const VERSIONS = [3, 4];

/** Kinds and the sizes that numpy has of them; those of `SUV` are free. */
const SIZES: Readonly<Record<string, readonly number[]>> = {
  b: [1],
  i: [1, 2, 4, 8],
  u: [1, 2, 4, 8],
  f: [2, 4, 8, 12, 16],
  c: [8, 16, 24, 32],
  M: [8],
  m: [8],
  // Of 4 bytes on machines of 32 bits; everywhere else numpy makes a pointer of 8 of it, beyond the end of its element.
  O: [8],
};

const TYPE = /^([biufcMmOSUV])(0|[1-9]\d{0,8})$/;

/** Bytes of a character of `U`. */
const UNICODE_BYTES = 4;

/**
 * Flags that numpy writes. Of objects: whether they are counted, pickled as lists, pointers, initialised. With one of
 * these set or missing, numpy takes bytes of the file for addresses.
 */
const FLAGS = {
  unicode: 8,
  object: 63,
  /** Fields inherit these from their elements: needs Python, initialised; counted and pickled as lists for objects. */
  fields: [16, 24],
  objectFields: 27,
  /** Of any kind with fields: laid out as a C compiler does. */
  aligned: 128,
} as const;

const ALIGNMENTS = [1, 2, 4, 8, 16];

/** More types than a record has for a reason; hashing and comparing a dtype goes through all. */
const PARTS_MAX = 10_000;

/** Types inside each other, which numpy frees and hashes one inside the other, on a stack of some hundred kilobytes. */
const DEPTH_MAX = 64;

/** numpy keeps sizes in a C int, and takes a larger one for a negative size. */
const BYTES_MAX = 2 ** 31 - 1;

/** The dtype that a call makes, or what is wrong with it. */
export function makeDtype([made, align, copy, ...others]: readonly PickleValue[]): DtypeValue | string {
  const isFlag = (value: PickleValue | undefined) =>
    value === undefined || typeof value === "boolean" || value === 0 || value === 1;
  if (others.length > 0 || !isFlag(align) || !isFlag(copy)) {
    return "makes a numpy.dtype with arguments that numpy does not write";
  }
  // A class of records: its fields follow in the state.
  if (made !== undefined && isObject(made) && made.kind === "global") {
    if (!/^numpy(\.rec|\._?core\.records)?:(record|void)$/.test(`${made.module}:${made.name}`)) {
      return "makes a numpy.dtype of a class that cannot be told";
    }
    return { kind: "dtype", type: "V", state: undefined, isBuilt: false };
  }
  const found = typeof made === "string" ? TYPE.exec(made) : null;
  const [, type = "", digits = ""] = found ?? [];
  const size = Number(digits);
  if (found === null || SIZES[type]?.includes(size) === false) {
    return "makes a numpy.dtype of something that cannot be told";
  }
  const itemBytes = type === "U" ? size * UNICODE_BYTES : size;
  if (itemBytes > BYTES_MAX) return "makes a numpy.dtype that is larger than numpy's own";
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

/** The state that a BUILD gives a dtype, or what is wrong with it. */
export function buildDtype(dtype: DtypeValue, state: PickleValue): DtypeState | string {
  const items = isObject(state) && state.kind === "tuple" ? state.items : undefined;
  if (items === undefined || items.length < 8 || items.length > 9) {
    return "gives a numpy.dtype a state that cannot be told";
  }
  const [version, order, base = null, names = null, fields = null, bytes, alignment, flags, metadata] = items;
  if (typeof version !== "number" || !VERSIONS.includes(version)) {
    return "gives a numpy.dtype a state of a version that is not known";
  }
  if (typeof bytes !== "number" || typeof flags !== "number" || !isOrder(order)) {
    return "gives a numpy.dtype a state that cannot be told";
  }
  if (!isMetadata(dtype.type, metadata)) return "gives a numpy.dtype metadata that cannot be told";
  if (alignment !== -1 && !(typeof alignment === "number" && ALIGNMENTS.includes(alignment))) {
    return "gives a numpy.dtype an alignment that numpy does not write";
  }
  const itemBytes = bytes === -1 ? dtype.state?.itemBytes : bytes;
  if (
    itemBytes === undefined || !Number.isSafeInteger(itemBytes) || itemBytes < 0 || itemBytes > BYTES_MAX ||
    (dtype.state !== undefined && itemBytes !== dtype.state.itemBytes)
  ) {
    return "gives a numpy.dtype a size that contradicts its type";
  }
  const isSimple = base === null && fields === null && names === null;
  if (!isSimple && dtype.type !== "V") return "gives a numpy.dtype fields that contradict its type";
  const parts = isSimple ? [] : partsOf(base, names, fields, itemBytes);
  if (parts === undefined) return "gives a numpy.dtype fields that cannot be told";
  const count = parts.reduce((sum, part) => sum + part.parts, 1);
  if (count > PARTS_MAX) return `gives a numpy.dtype more than ${PARTS_MAX} types`;
  const depth = parts.reduce((most, part) => Math.max(most, 1 + part.depth), 1);
  if (depth > DEPTH_MAX) return `gives a numpy.dtype more than ${DEPTH_MAX} types inside each other`;
  const hasObject = dtype.type === "O" || parts.some((part) => part.hasObject);
  if (!fitFlags(flags, { dtype, base: base === null ? undefined : parts[0], hasObject, isSimple })) {
    return "gives a numpy.dtype flags that contradict its type";
  }
  return { itemBytes, hasObject, flags, parts: count, depth, isSubArray: base !== null };
}

function isOrder(order: PickleValue | undefined): boolean {
  return typeof order === "string" && /^[<>|=]$/.test(order);
}

/** Only times have metadata of which anything is known: no or an empty dictionary, and their unit, ("ns", 1, 1, 1). */
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

/** What fields or a sub-array are made of; `undefined` where they do not fit together or into an element. */
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
  // Every name is a field of its own, and nothing else is: a title, which is a second name, is not looked for.
  const isComplete = listed.length === entries.size && new Set(listed).size === listed.length &&
    listed.every((name) => typeof name === "string" && entries.has(name));
  if (!isComplete) return undefined;
  const placed = [...entries.values()].map((entry) => fieldOf(entry, itemBytes));
  if (!placed.every((field) => field !== undefined)) return undefined;
  const parts = placed.map(({ state }) => state);
  return parts.some((part) => part.hasObject) && overlap(placed) ? undefined : parts;
}

/** A field and where it begins. */
interface PlacedField {
  readonly state: DtypeState;
  readonly offset: number;
}

/**
 * Whether two fields share a byte. Beside a pointer to an object that is an address of the attacker's choice: numpy
 * writes both fields and follows the pointer. Fields without objects may share bytes, as a union does.
 */
function overlap(fields: readonly PlacedField[]): boolean {
  const places = fields.filter(({ state }) => state.itemBytes > 0).toSorted((a, b) => a.offset - b.offset);
  return places.some(({ offset }, at) => {
    const before = places[at - 1];
    return before !== undefined && before.offset + before.state.itemBytes > offset;
  });
}

/** (dtype, shape), which fill the element. */
function subArrayOf(base: PickleValue, itemBytes: number): DtypeState | undefined {
  const items = isObject(base) && base.kind === "tuple" ? base.items : undefined;
  const [dtype, shape] = items ?? [];
  const state = stateOf(dtype);
  const count = countOfShape(shape);
  if (items?.length !== 2 || state === undefined || count === undefined) return undefined;
  return count * state.itemBytes === itemBytes ? state : undefined;
}

/** (dtype, offset). */
function fieldOf(field: PickleValue, itemBytes: number): PlacedField | undefined {
  const items = isObject(field) && field.kind === "tuple" ? field.items : undefined;
  const [dtype, offset] = items ?? [];
  const state = stateOf(dtype);
  if (items?.length !== 2 || state === undefined || typeof offset !== "number") return undefined;
  const isInside = Number.isSafeInteger(offset) && offset >= 0 && offset + state.itemBytes <= itemBytes;
  return isInside ? { state, offset } : undefined;
}

function stateOf(dtype: PickleValue | undefined): DtypeState | undefined {
  return dtype !== undefined && isObject(dtype) && dtype.kind === "dtype" ? dtype.state : undefined;
}

function fitFlags(
  flags: number,
  { dtype, base, hasObject, isSimple }: {
    readonly dtype: DtypeValue;
    /** Of a sub-array. */
    readonly base: DtypeState | undefined;
    readonly hasObject: boolean;
    readonly isSimple: boolean;
  },
): boolean {
  if (isSimple) return flags === flagsOfType(dtype.type);
  // A byte with a sign: what is laid out as C does is negative.
  const unsigned = flags < 0 ? flags + 256 : flags;
  if (base !== undefined) return unsigned === (base.flags < 0 ? base.flags + 256 : base.flags);
  const plain = unsigned >= FLAGS.aligned ? unsigned - FLAGS.aligned : unsigned;
  return hasObject ? plain === FLAGS.objectFields : FLAGS.fields.some((one) => one === plain);
}

/** numpy's own limit is 32, and 64 since version 2. */
const DIMENSIONS_MAX = 64;

/** Elements of a shape, without a dimension one; `undefined` where it is not a shape that numpy writes. */
export function countOfShape(shape: PickleValue | undefined): number | undefined {
  const items = shape !== undefined && isObject(shape) && shape.kind === "tuple" ? shape.items : undefined;
  if (items === undefined || items.length > DIMENSIONS_MAX) return undefined;
  let count = 1;
  // What numpy multiplies in 64 bits must not overflow there, whatever a zero makes of it in the end.
  let largest = 1;
  for (const item of items) {
    if (typeof item !== "number" || !Number.isSafeInteger(item) || item < 0) return undefined;
    count *= item;
    largest *= Math.max(item, 1);
    if (largest > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return count;
}
