import assert from "node:assert/strict";
import fc from "fast-check";
import { InvalidModelError } from "../../../lib/validators/invalid_model.ts";
import { findExternalData } from "../../../lib/validators/onnx/inspect_onnx.ts";
import { describeValue } from "../../../lib/validators/onnx/value_info.ts";
import { type OnnxModel, readOnnx } from "../../../lib/validators/onnx/read_onnx.ts";
import { modelFiles } from "../../helpers/model_files.ts";
import {
  BOOL,
  type Bytes,
  bytes,
  classifier,
  externalTensor,
  FLOAT,
  floats,
  graphAttribute,
  initializer,
  input,
  INT64,
  int64s,
  joined,
  message,
  model,
  node,
  number,
  output,
  text,
  varint,
} from "../../helpers/onnx_bytes.ts";
import { tempDir } from "../../helpers/temp_dir.ts";

function read(content: Bytes): OnnxModel {
  using dir = tempDir();
  const [file] = modelFiles(dir.path, { "BTC/model.onnx": content });
  assert.ok(file !== undefined);
  return readOnnx(Deno, file);
}

function refuses(content: Bytes, problem: RegExp): void {
  assert.throws(() => read(content), (error: unknown) => {
    assert.ok(error instanceof InvalidModelError, String(error));
    assert.equal(error.path, "BTC/model.onnx");
    assert.match(error.message, /^Cannot activate BTC\/model\.onnx: /);
    assert.match(error.message, problem);
    return true;
  });
}

const Y = output("y", FLOAT, [1]);

Deno.test("readOnnx() returns versions, inputs without initializers, and outputs", () => {
  const found = read(
    model(
      initializer("w", FLOAT, [2], floats(1, 2)),
      input("features", FLOAT, ["batch", 12]),
      input("w", FLOAT, [2]),
      input("ids", INT64, [null, 0, -1, 7]),
      input("any", BOOL),
      output("y", FLOAT, []),
    ),
  );
  assert.equal(found.irVersion, 8);
  assert.deepEqual([...found.opsets], [["", 15], ["ai.onnx.ml", 3]]);
  assert.deepEqual(found.inputs.map((value) => `${value.name} ${describeValue(value)}`), [
    "features float32[batch,12]",
    "ids int64[?,?,?,7]",
    "any bool",
  ]);
  assert.deepEqual(found.outputs, [{ name: "y", type: "float32", shape: [] }]);
  assert.equal(found.external.size, 0);
});

Deno.test("readOnnx() describes values that are not tensors: a classifier's sequence of maps", () => {
  const map = message(5, number(1, INT64), message(2, message(1, number(1, FLOAT))));
  const sequence = message(4, message(1, map));
  const { outputs } = read(model(message(12, text(1, "scores"), message(2, sequence))));
  assert.deepEqual(outputs, [{ name: "scores", type: "sequence(map(int64, float32))", shape: undefined }]);
});

Deno.test("readOnnx() does not read skipped tensors: one of a gigabyte costs nothing", () => {
  using dir = tempDir();
  const path = `${dir.path}/large.onnx`;
  const gigabyte = 2 ** 30;
  const tensorHead = joined(number(2, FLOAT), text(8, "w"), varint(9 << 3 | 2), varint(gigabyte));
  const tensor = joined(varint(5 << 3 | 2), varint(tensorHead.length + gigabyte), tensorHead);
  const rest = joined(input("x", FLOAT, [1]), Y);
  const head = joined(number(1, 8), message(8, number(2, 15)), varint(7 << 3 | 2));
  const graphBytes = tensor.length + gigabyte + rest.length;
  const start = joined(head, varint(graphBytes), tensor);
  {
    using file = Deno.openSync(path, { write: true, create: true });
    file.writeSync(start);
    file.seekSync(start.length + gigabyte, Deno.SeekMode.Start);
    file.writeSync(rest);
  }
  const counted = { bytes: 0 };
  const fs = {
    openSync: (...args: Parameters<typeof Deno.openSync>) => {
      const file = Deno.openSync(...args);
      const readSync = file.readSync.bind(file);
      file.readSync = (buffer) => {
        counted.bytes += buffer.length;
        return readSync(buffer);
      };
      return file;
    },
  };
  const size = Deno.statSync(path).size;
  const { outputs } = readOnnx(fs, { path: "large.onnx", location: path, size, sha256: "" });
  assert.equal(outputs[0]?.name, "y");
  assert.ok(counted.bytes < 1024 * 1024, String(counted.bytes));
});

const CUT = classifier([[1, 2], [3, 4]]);

const BROKEN: readonly (readonly [string, Bytes, RegExp])[] = [
  ["an empty file", new Uint8Array(), /it is empty, expected an ONNX model/],
  ["a text", new TextEncoder().encode("one"), /at byte 0, in the model, a field of the unknown kind 7/],
  ["a model without a graph", joined(number(1, 8), message(8, number(2, 15))), /has no graph/],
  ["a model without a version", joined(message(7, Y), message(8, number(2, 15))), /has no version/],
  ["a model without operators", joined(number(1, 8), message(7, Y)), /has no operator set/],
  ["a graph without an output", model(input("x", FLOAT, [1])), /its graph has no output/],
  ["two graphs", joined(model(Y), message(7, Y)), /a second graph/],
  ["two outputs of one name", model(Y, Y), /in an output, a duplicate name/],
  [
    "a length beyond the file",
    joined(number(1, 8), varint(7 << 3 | 2), varint(5000)),
    /a field of 5000 bytes/,
  ],
  ["a length of 2^64", joined(varint(7 << 3 | 2), varint(-1)), /a field of 18446744073709552000 bytes/],
  [
    "a length beyond its message",
    model(bytes(5, joined(varint(9 << 3 | 2), varint(99)))),
    /where 0 are left/,
  ],
  ["a number without end", joined(number(1, 8), new Uint8Array(40).fill(0xff)), /more than 10 bytes/],
  ["a number that is cut off", new Uint8Array([8, 0x80]), /a number that is cut off/],
  ["a file that is cut off", CUT.slice(0, -3), /at byte \d+, in .*(are left|cut off)/],
  ["field number 0", new Uint8Array([0, 1]), /a field number that does not exist/],
  ["a name that is no UTF-8", model(message(12, bytes(1, new Uint8Array([0xff])))), /not UTF-8/],
  [
    "a name of 5000 bytes",
    model(message(12, text(1, "x".repeat(5000)))),
    /a text of 5000 bytes, more than 4096/,
  ],
  ["101 dimensions", model(output("y", FLOAT, Array(101).fill(1))), /more than 100 dimensions/],
  ["graphs in graphs in graphs", model(nested(40), Y), /more than 100 levels/],
  [
    "types in types in types",
    model(message(12, message(2, nestedType(20)))),
    /a type of more than 16 levels/,
  ],
  [
    "10,001 inputs",
    model(...Array.from({ length: 10_001 }, (_, id) => input(`${id}`, FLOAT)), Y),
    /10000 inputs/,
  ],
];

function nested(levels: number): Bytes {
  return levels === 0 ? Y : node("If", ["c"], ["y"], graphAttribute("then_branch", nested(levels - 1)));
}

function nestedType(levels: number): Bytes {
  return levels === 0 ? message(1, number(1, FLOAT)) : message(4, message(1, nestedType(levels - 1)));
}

for (const [name, content, problem] of BROKEN) {
  Deno.test(`readOnnx() refuses ${name}`, () => refuses(content, problem));
}

Deno.test("readOnnx() refuses more than a million tensors", () => {
  const empty = message(5);
  const many = new Uint8Array(1_000_001 * empty.length);
  for (let at = 0; at < many.length; at += empty.length) many.set(empty, at);
  refuses(model(many, Y), /more than 1000000 tensors/);
});

const NEVER_A_CRASH = (content: Bytes) => {
  const started = performance.now();
  try {
    read(content);
  } catch (error) {
    assert.ok(error instanceof InvalidModelError, String(error));
  }
  assert.ok(performance.now() - started < 5_000);
};

Deno.test("readOnnx() neither crashes nor hangs on flipped, removed or inserted bits", () => {
  const whole = model(
    node(
      "If",
      ["c"],
      ["y"],
      graphAttribute("then_branch", externalTensor(5, "e", [4], { location: "w.bin" })),
    ),
    initializer("w", INT64, [2], int64s(1n, 2n)),
    input("features", FLOAT, ["batch", 12]),
    output("scores", FLOAT, [null]),
  );
  const place = fc.nat(whole.length - 1);
  fc.assert(
    fc.property(fc.array(fc.tuple(place, fc.nat(7)), { minLength: 1, maxLength: 8 }), (flips) => {
      const content = whole.slice();
      for (const [at, bit] of flips) content[at] = (content[at] ?? 0) ^ (1 << bit);
      NEVER_A_CRASH(content);
    }),
    { numRuns: 400 },
  );
  fc.assert(
    fc.property(place, fc.uint8Array({ maxLength: 20 }), fc.nat(30), (at, inserted, dropped) => {
      NEVER_A_CRASH(joined(whole.slice(0, at), new Uint8Array(inserted), whole.slice(at + dropped)));
    }),
    { numRuns: 400 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => NEVER_A_CRASH(new Uint8Array(noise))));
});

/** The places of references to external files. */
const PLACES: Readonly<Record<string, (tensor: (id: number) => Bytes) => Bytes>> = {
  "the main graph": (tensor) => model(tensor(5), Y),
  "an attribute": (tensor) => model(node("Constant", [], ["y"], message(5, tensor(5))), Y),
  "a list of an attribute": (tensor) => model(node("Constant", [], ["y"], message(5, tensor(10))), Y),
  "a subgraph": (tensor) => model(node("If", ["c"], ["y"], graphAttribute("then_branch", tensor(5))), Y),
  "a list of subgraphs": (tensor) => model(node("X", [], ["y"], message(5, message(11, tensor(5)))), Y),
  "a sparse tensor's values": (tensor) => model(message(15, tensor(1)), Y),
  "a sparse tensor's indices": (tensor) => model(message(15, tensor(2)), Y),
  "a sparse attribute": (tensor) => model(node("X", [], ["y"], message(5, message(22, tensor(1)))), Y),
  "a function": (tensor) => joined(model(Y), message(25, node2(message(5, tensor(5))))),
  "a function's defaults": (tensor) => joined(model(Y), message(25, message(11, tensor(5)))),
  "the training graph": (tensor) => joined(model(Y), message(20, message(2, tensor(5)))),
};

/** A node in a function. */
function node2(...attributes: readonly Bytes[]): Bytes {
  return message(7, text(4, "Constant"), ...attributes);
}

for (const [place, build] of Object.entries(PLACES)) {
  Deno.test(`readOnnx() finds a reference to an external file in ${place}`, () => {
    const keys = { location: "weights.bin", offset: "4096", length: "64" };
    const { external } = read(build((id) => externalTensor(id, "w", [16], keys)));
    assert.deepEqual([...external], [["weights.bin", 4160]]);
  });
}

Deno.test("readOnnx() refuses external data with a duplicate or missing location", () => {
  const tensor = (...parts: Bytes[]) => model(message(5, ...parts, number(14, 1)), Y);
  const key = (name: string, value: string) => message(13, text(1, name), text(2, value));
  refuses(tensor(key("offset", "1")), /no location/);
  refuses(tensor(key("location", "a"), key("location", "b")), /a duplicate key/);
  for (const offset of ["-1", "0x10", "1e3", "9".repeat(16), " 1", ""]) {
    refuses(tensor(key("location", "a"), key("offset", offset)), /the offset ".*", expected digits/);
  }
});

Deno.test("readOnnx() finds an external tensor whose flag has a longer encoding", () => {
  const keys = message(13, text(1, "location"), text(2, "/etc/passwd"));
  for (const flag of [1n, 0x1_0000_0001n, 0xffff_ffff_0000_0001n]) {
    const { external } = read(model(message(5, keys, number(14, flag)), Y));
    assert.deepEqual([...external], [["/etc/passwd", 0]]);
  }
});

const ESCAPES: readonly (readonly [string, RegExp])[] = [
  ["../other.bin", /has the part ".."/],
  ["sub/../../other.bin", /has the part ".."/],
  ["/etc/passwd", /is absolute/],
  ["..\\other.bin", /has the character \\/],
  ["C:weights.bin", /has the character :/],
  ["weights.bin\0", /has a control character/],
  ["*/_ORT_MEM_ADDR_/*", /has the character \*/],
  [".", /has the part "."/],
  ["", /is empty/],
  ["missing.bin", /is not in the release, expected a file "BTC\/missing.bin"/],
];

for (const [location, problem] of ESCAPES) {
  Deno.test(`external data cannot have the path ${JSON.stringify(location)}`, () => {
    using dir = tempDir();
    const files = modelFiles(dir.path, {
      "BTC/model.onnx": model(externalTensor(5, "w", [1], { location }), Y),
      "other.bin": "other",
    });
    const [file] = files;
    assert.ok(file !== undefined);
    assert.throws(() => findExternalData(Deno, file, readOnnx(Deno, file), files), {
      name: "InvalidModelError",
      message: problem,
    });
  });
}

Deno.test("external data has to be a regular file beside the model, as large as the model says", () => {
  using dir = tempDir();
  const keys = { location: "./parts/weights.bin", offset: "2", length: "6" };
  const files = modelFiles(dir.path, {
    "BTC/model.onnx": model(externalTensor(5, "w", [1], keys), Y),
    "BTC/parts/weights.bin": "12345678",
    "parts/weights.bin": "",
  });
  const [file, weights] = files;
  assert.ok(file !== undefined && weights !== undefined);
  const found = () => findExternalData(Deno, file, readOnnx(Deno, file), files);
  assert.deepEqual(found(), [{ name: "./parts/weights.bin", file: weights }]);

  const short = files.map((each) => each === weights ? { ...each, size: 7 } : each);
  assert.throws(() => findExternalData(Deno, file, readOnnx(Deno, file), short), {
    message: /its external data "\.\/parts\/weights\.bin" is 7 bytes, expected at least 8/,
  });
  Deno.removeSync(weights.location);
  Deno.symlinkSync("/etc/hosts", weights.location);
  assert.throws(found, { message: /is not a regular file/ });
});
