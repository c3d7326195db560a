import assert from "node:assert/strict";
import * as z from "zod";
import type { PickleValue } from "../../../lib/validators/pickle/pickle_value.ts";
import {
  writtenFloat,
  writtenIndex,
  writtenInt,
  writtenLong,
} from "../../../lib/validators/pickle/machine/written_number.ts";
import { inspectBytes } from "./inspect_bytes.ts";
import { runPython } from "../../helpers/python_fixture.ts";
import { tempDir, writeFiles } from "../../helpers/temp_dir.ts";

/** For each opcode, whether one of Python's two readers loads a pickle with the line; PUT needs a value on the stack. */
const LOADED = `
import io, json, pickle, sys
sys.set_int_max_str_digits(0)
def loads(data):
    for load in (pickle.loads, lambda data: pickle._Unpickler(io.BytesIO(data)).load()):
        try:
            load(data)
            return True
        except Exception:
            pass
    return False
lines = [line.encode("latin-1") for line in json.load(open("lines.json"))]
begin = {"INT": b"I", "LONG": b"L", "FLOAT": b"F", "PUT": b"Np"}
print(json.dumps({name: [loads(code + line + b"\\n.") for line in lines] for name, code in begin.items()}))
`;

const Loaded = z.record(z.string(), z.array(z.boolean()));

const READERS: Readonly<Record<string, (line: string) => PickleValue | undefined>> = {
  INT: writtenInt,
  LONG: writtenLong,
  FLOAT: writtenFloat,
  PUT: writtenIndex,
};

const BEGINNINGS = [
  "",
  " ",
  "\t",
  "\x0b",
  "\x1c",
  "\xa0",
  "+",
  "-",
  "- ",
  "\0",
  " \0",
  "\xff",
  "0x",
  "0b",
  "0o",
  "00",
];
const MIDDLES = [
  "",
  "0",
  "7",
  "12",
  "1_2",
  "_1",
  "1__2",
  "1.5",
  ".5",
  "5.",
  ".",
  "1e3",
  "1e",
  "e1",
  "1e-3",
  "0x1f",
];
const MORE = [
  "inf",
  "Infinity",
  "infi",
  "nan",
  "NaN",
  "1f",
  "1n",
  "\xb2",
  "12\x85",
  "abc",
  "0.1_2",
  "1_.2",
  "1e1_0",
];
const ENDS = ["", " ", "\r", "L", "l", "_", "\0", "\0\xff", " \0x", "L\0", "\x85", "{", ".", "0"];

Deno.test("a line counts as a number exactly if one of Python's readers accepts it", () => {
  const lines = BEGINNINGS.flatMap((begin) =>
    [...MIDDLES, ...MORE].flatMap((middle) => ENDS.map((end) => `${begin}${middle}${end}`))
  );
  using dir = tempDir();
  writeFiles(dir.path, { "lines.json": JSON.stringify(lines) });
  const loaded = Loaded.parse(JSON.parse(runPython("python3", LOADED, dir.path)));
  for (const [opcode, read] of Object.entries(READERS)) {
    for (const [index, line] of lines.entries()) {
      const goesOn = read(line) !== undefined;
      const shown = `${opcode} ${JSON.stringify(line)}`;
      if (loaded[opcode]?.[index] === true) assert.ok(goesOn, shown);
      // Texts that only look like integers in other bases continue, too: it is enough that they count as unknown.
      else if (opcode === "FLOAT" || opcode === "PUT") assert.ok(!goesOn, shown);
      else if (goesOn) assert.match(line, /\d|^\0/, shown);
    }
  }
});

Deno.test("a line of many digits is read in one pass", () => {
  const startedMs = performance.now();
  for (const end of [" ", "_1", "x", "e"]) {
    const line = `${"1".repeat(4298)}${end}`;
    for (let count = 0; count < 100; count++) writtenFloat(line);
  }
  // Trying each place of a missing point took a tenth of a second a line.
  assert.ok(performance.now() - startedMs < 5000);
});

Deno.test("tensors behind a header whose length looks like an opcode are not a pickle", async () => {
  const data = new Uint8Array(64).fill(0x72);
  // 'F', 'L', 'g' and 'p', each followed by zeros as a number.
  for (const length of [70, 76, 103, 112]) {
    const header = `{"w":{"dtype":"U8","shape":[64],"data_offsets":[0,64]}}`.padEnd(length);
    const bytes = new Uint8Array(8 + length + data.length);
    bytes[0] = length;
    bytes.set(new TextEncoder().encode(header), 8);
    bytes.set([0x0a, ...data.subarray(1)], 8 + length);
    assert.equal(await inspectBytes(bytes, "model.safetensors"), false, String(length));
  }
});
