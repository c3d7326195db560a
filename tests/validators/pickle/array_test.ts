import assert from "node:assert/strict";
import { InvalidModelError } from "../../../lib/validators/invalid_model.ts";
import { inspectPickle } from "../../../lib/validators/pickle/inspect_pickle.ts";
import { arrayWrapper, PROTO_4, rawPickle, stackGlobal, text, uint32 } from "../../helpers/raw_pickle.ts";
import { stagedFile } from "../../helpers/model_files.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";

async function inspect(content: Uint8Array, name = "m.joblib"): Promise<void> {
  using dir = tempDir();
  await inspectPickle(testContext(), stagedFile(dir.path, name, content), { patterns: [] });
}

async function refuses(content: Uint8Array, expected: RegExp): Promise<void> {
  for (const name of ["m.joblib", "weights.bin"]) {
    await assert.rejects(() => inspect(content, name), (error: unknown) => {
      assert.ok(error instanceof InvalidModelError, String(error));
      assert.match(error.message, expected);
      return true;
    });
  }
}

/** The entries of a wrapper's state; the defaults are joblib's. */
interface WrapperParts {
  readonly subclass?: Uint8Array;
  readonly order?: Uint8Array;
  readonly shape?: Uint8Array;
  readonly dtype?: Uint8Array;
  readonly more?: Uint8Array;
}

function wrapper({ subclass, order, shape, dtype, more }: WrapperParts = {}): Uint8Array {
  return rawPickle(
    stackGlobal("joblib.numpy_pickle", "NumpyArrayWrapper"),
    ")",
    0x81,
    "}(",
    text("subclass"),
    subclass ?? stackGlobal("numpy", "ndarray"),
    text("shape"),
    shape ?? rawPickle("K", 4, 0x85),
    text("order"),
    order ?? text("C"),
    text("dtype"),
    dtype ?? madeDtype("f8", {}),
    text("allow_mmap"),
    0x88,
    more ?? new Uint8Array(0),
    "ub",
  );
}

interface DtypeParts {
  readonly order?: string;
  readonly base?: Uint8Array;
  readonly names?: Uint8Array;
  readonly fields?: Uint8Array;
  readonly bytes?: number;
  readonly alignment?: number;
  readonly flags?: number;
}

const none = rawPickle("N");
const int32 = (value: number) => rawPickle("J", uint32(value >>> 0));

/** `numpy.dtype(type)` with its state. */
function madeDtype(type: string, parts: DtypeParts): Uint8Array {
  return rawPickle(
    stackGlobal("numpy", "dtype"),
    text(type),
    0x89,
    0x88,
    0x87,
    "R(K",
    3,
    text(parts.order ?? "<"),
    parts.base ?? none,
    parts.names ?? none,
    parts.fields ?? none,
    int32(parts.bytes ?? -1),
    int32(parts.alignment ?? -1),
    int32(parts.flags ?? 0),
    "tb",
  );
}

/** Opcodes that the reader would execute if the walk skipped more bytes than the array has. */
const HIDDEN = rawPickle(new Uint8Array(32), stackGlobal("os", "system"), text("id"), 0x85, "R.");

const STRANGE_WRAPPERS: Readonly<Record<string, readonly [WrapperParts, RegExp]>> = {
  "a method of its own": [
    { more: rawPickle(text("read"), stackGlobal("numpy", "ndarray")) },
    /"read", which joblib/,
  ],
  "another method": [
    { more: rawPickle(text("read_array"), "N") },
    /"read_array", which joblib does not write/,
  ],
  "an attribute that joblib does not write": [{ more: rawPickle(text("x"), "N") }, /"x", which joblib/],
  "a class that is not an array": [
    { subclass: stackGlobal("sklearn.base", "BaseEstimator") },
    /of a class that/,
  ],
  "an invalid order": [{ order: text("X") }, /of an unexpected order/],
  "a negative shape": [{ shape: rawPickle(int32(-1), 0x85) }, /of an unexpected shape/],
  "no dtype": [{ dtype: none }, /of an unknown dtype/],
  "an answer about mapping that is neither yes nor no": [
    { more: rawPickle(text("allow_mmap"), "N") },
    /in an unexpected way/,
  ],
  "another alignment than joblib's": [
    { more: rawPickle(text("numpy_array_alignment_bytes"), "K", 8) },
    /is not aligned to 16 bytes/,
  ],
  "objects that are mapped into memory": [
    { dtype: madeDtype("O8", { order: "|", flags: 63 }) },
    /of objects that is mapped into memory/,
  ],
  "more bytes than any file": [
    { shape: rawPickle(int32(2 ** 31 - 1), int32(2 ** 21), 0x86) },
    /larger than any file/,
  ],
  "empty elements": [
    { dtype: madeDtype("V0", { order: "|", bytes: 0, alignment: 1 }) },
    /of empty elements/,
  ],
};

for (const [what, [parts, expected]] of Object.entries(STRANGE_WRAPPERS)) {
  Deno.test(`joblib's placeholder of an array with ${what} is refused`, async () => {
    await refuses(rawPickle(PROTO_4, wrapper(parts), HIDDEN), expected);
  });
}

const STRANGE_DTYPES: Readonly<Record<string, readonly [string, DtypeParts]>> = {
  "a letter without its size": ["i", { bytes: 1000 }],
  "a size that the type does not have": ["i8", { bytes: 1000 }],
  "a size that does not exist": ["f9", {}],
  "a text larger than its type": ["S4", { order: "|", bytes: 400, alignment: 1 }],
  "a negative size": ["V8", { order: "|", bytes: -2, alignment: 1 }],
  "flags of objects on numbers": ["f8", { flags: 1 }],
  "flags of lists on numbers": ["f8", { flags: 2 }],
  "objects without their flags": ["O8", { order: "|", flags: 0 }],
  "objects that are not counted": ["O8", { order: "|", flags: 62 }],
  "an alignment of zero": ["V8", { order: "|", bytes: 8, alignment: 0 }],
  "an alignment of three": ["V8", { order: "|", bytes: 8, alignment: 3 }],
  "an invalid order": ["f8", { order: "X" }],
  "fields of a number": [
    "f8",
    { names: rawPickle(text("a"), 0x85), fields: fieldsOf("a", int32(0)), bytes: 8, alignment: 1, flags: 16 },
  ],
  "a sub-array larger than its element": ["V8", { order: "|", base: subArray(1000), bytes: 8, alignment: 8 }],
  "a sub-array smaller than its element": ["V80", { order: "|", base: subArray(1), bytes: 80, alignment: 8 }],
  "a sub-array of a negative length": ["V8", { order: "|", base: subArray(-1), bytes: 8, alignment: 8 }],
  "a name without its field": [
    "V8",
    {
      order: "|",
      names: rawPickle(text("b"), 0x85),
      fields: fieldsOf("a", int32(0)),
      bytes: 8,
      alignment: 1,
      flags: 16,
    },
  ],
  "a field beyond its element": [
    "V8",
    {
      order: "|",
      names: rawPickle(text("a"), 0x85),
      fields: fieldsOf("a", int32(4)),
      bytes: 8,
      alignment: 1,
      flags: 16,
    },
  ],
  "a field at a place that is not a small number": [
    "V8",
    {
      order: "|",
      names: rawPickle(text("a"), 0x85),
      fields: fieldsOf("a", rawPickle(0x8a, 9, new Uint8Array(8), 1)),
      bytes: 8,
      alignment: 1,
      flags: 16,
    },
  ],
};

function subArray(length: number): Uint8Array {
  return rawPickle(madeDtype("f8", {}), int32(length), 0x85, 0x86);
}

function fieldsOf(name: string, offset: Uint8Array): Uint8Array {
  return rawPickle("}", text(name), madeDtype("f8", {}), offset, 0x86, "s");
}

for (const [what, [type, parts]] of Object.entries(STRANGE_DTYPES)) {
  Deno.test(`a numpy.dtype with ${what} is refused`, async () => {
    await refuses(rawPickle(PROTO_4, madeDtype(type, parts), "."), /numpy\.dtype/);
    await refuses(rawPickle(PROTO_4, wrapper({ dtype: madeDtype(type, parts) }), HIDDEN), /numpy\.dtype/);
  });
}

Deno.test("a numpy.dtype with other arguments, or another state than numpy writes, is refused", async () => {
  const made = rawPickle(text("f8"), 0x89, 0x88, 0x87, "R");
  const rest = rawPickle(text("<"), "NNN", int32(-1), int32(-1), "K", 0);
  for (
    const [call, problem] of [
      [rawPickle("(", text("f8"), 0x89, 0x88, "NtR."), /with arguments that numpy does not write/],
      [rawPickle(made, "(K", 3, text("<"), "tb."), /an unexpected state/],
      [rawPickle(made, "(K", 9, rest, "tb."), /a state of an unknown version/],
      [rawPickle(made, "(K", 4, rest, "K", 1, "tb."), /unexpected metadata/],
    ] as const
  ) await refuses(rawPickle(PROTO_4, stackGlobal("numpy", "dtype"), call), problem);
});

Deno.test("a numpy.dtype in use cannot get another state", async () => {
  const state = rawPickle("(K", 3, text("|"), "NNNK", 8, "K", 1, "K", 0, "tb");
  const made = rawPickle(stackGlobal("numpy", "dtype"), text("V8"), 0x89, 0x88, 0x87, "R");
  await inspect(rawPickle(PROTO_4, made, state, "."));
  await refuses(
    rawPickle(PROTO_4, made, "q", 0, "0h", 0, state, "."),
    /sets the state of a numpy\.dtype twice/,
  );
  await refuses(rawPickle(PROTO_4, made, "2", state, "."), /sets the state of a numpy\.dtype twice/);
  await refuses(rawPickle(PROTO_4, made, state, state, "."), /sets the state of a numpy\.dtype twice/);
});

Deno.test("a numpy.dtype and joblib's placeholder are created only as their libraries write them", async () => {
  await refuses(
    rawPickle(PROTO_4, stackGlobal("numpy", "dtype"), text("f8"), 0x85, 0x81, "."),
    /makes an object of/,
  );
  const called = rawPickle(PROTO_4, stackGlobal("joblib.numpy_pickle", "NumpyArrayWrapper"), ")R.");
  await refuses(called, /calls joblib\.numpy_pickle\.NumpyArrayWrapper/);
});

Deno.test("arrays as joblib writes them pass", async () => {
  await inspect(rawPickle(PROTO_4, wrapper(), new Uint8Array(32), "."));
  await inspect(rawPickle(PROTO_4, arrayWrapper(4), new Uint8Array(32), "."));
});

Deno.test("an array of objects passes, which joblib writes as a pickle in the pickle", async () => {
  const objects: WrapperParts = {
    dtype: madeDtype("O8", { order: "|", flags: 63 }),
    more: rawPickle(text("allow_mmap"), 0x89),
  };
  const inner = rawPickle(PROTO_4, "](K", 1, "e.");
  const outer = rawPickle(PROTO_4, "(", wrapper(objects), inner, "t.");
  await inspect(outer);
  const hostile = rawPickle(PROTO_4, stackGlobal("os", "system"), text("id"), 0x85, "R.");
  await refuses(rawPickle(PROTO_4, "(", wrapper(objects), hostile, "t."), /imports os\.system/);
});

Deno.test("the bytes behind an array's own pickle are walked as another reader would begin there", async () => {
  const objects: WrapperParts = {
    dtype: madeDtype("O8", { order: "|", flags: 63 }),
    more: rawPickle(text("allow_mmap"), 0x89),
  };
  // For joblib, memo entries 0 and 1 are those before the array; for a reader that begins behind it, those behind it.
  const pickle = (module: string, name: string) =>
    rawPickle(
      PROTO_4,
      rawPickle(text("collections"), 0x94, text("OrderedDict"), 0x94, "00("),
      wrapper(objects),
      rawPickle(PROTO_4, "]."),
      rawPickle(text(module), 0x94, text(name), 0x94, "00h", 0, "h", 1, 0x93, ")Rt."),
    );
  await inspect(pickle("n_bins", "dtype"));
  await refuses(pickle("os", "system"), /imports os\.system/);
});

Deno.test("an import whose name is not text ends the walk, because it stops Python", async () => {
  const opcodes = rawPickle("]", text("system"), 0x93, text("id"), 0x85, "R.");
  await inspect(opcodes, "weights.bin");
  await assert.rejects(() => inspect(rawPickle(PROTO_4, opcodes)), InvalidModelError);
});

Deno.test("the unit of a time passes with and without an empty dictionary before it", async () => {
  for (const extra of ["N", "}"]) {
    const metadata = rawPickle(extra, "(C", 2, "nsK", 1, "K", 1, "K", 1, "t", 0x86);
    const state = rawPickle("(K", 4, text("<"), "NNN", int32(-1), int32(-1), "K", 0, metadata, "tb.");
    const dtype = rawPickle(stackGlobal("numpy", "dtype"), text("M8"), 0x89, 0x88, 0x87, "R");
    await inspect(rawPickle(PROTO_4, dtype, state));
  }
});
