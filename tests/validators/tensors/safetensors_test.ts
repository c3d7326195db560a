import assert from "node:assert/strict";
import fc from "fast-check";
import { InvalidModelError } from "../../../lib/validators/invalid_model.ts";
import { inspectSafetensors, looksLikeSafetensors } from "../../../lib/validators/tensors/safetensors.ts";
import type { DriftSetting } from "../../../lib/config/choices.ts";
import { safetensors, safetensorsBytes, safetensorsHeader, stagedFile } from "../../helpers/model_files.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";

const U8 = (start: number, end: number) =>
  `{"dtype":"U8","shape":[${end - start}],"data_offsets":[${start},${end}]}`;

/** Returns the refusal of a file, or an empty text. */
function verdict(bytes: Uint8Array): string {
  using dir = tempDir();
  const context = testContext();
  try {
    inspectSafetensors(context, stagedFile(dir.path, "m.safetensors", bytes), undefined, "warn");
    return "";
  } catch (error) {
    assert.ok(error instanceof InvalidModelError, String(error));
    assert.equal(error.exitCode, 5);
    assert.match(error.message, /^Cannot activate m\.safetensors: it is not a valid safetensors file: /);
    return error.message;
  }
}

const header = (text: string, dataBytes = 1) => verdict(safetensorsBytes(text, dataBytes));

Deno.test("inspectSafetensors() accepts what the reference implementation accepts", () => {
  const accepted: [string, number][] = [
    ["{}", 0],
    [`{"a":${U8(0, 1)}}`, 1],
    [`{"a":${U8(0, 1)}}   \n`, 1],
    [`{ "a" : ${U8(0, 1)} , "b" : ${U8(1, 3)} }`, 3],
    [`{"__metadata__":{"format":"pt","n":""},"a":${U8(0, 1)}}`, 1],
    [`{"a":${U8(0, 1)},"__metadata__":{}}`, 1],
    [`{"__metadata__":null,"a":${U8(0, 1)}}`, 1],
    // In any order, if there is no gap between the bytes.
    [`{"b":${U8(1, 2)},"a":${U8(0, 1)}}`, 2],
    // A scalar, and tensors without elements.
    ['{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4],
    [`{"a":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]},"b":${U8(0, 1)}}`, 1],
    [`{"":${U8(0, 1)}}`, 1],
    [`{"\\u00e9\\"":${U8(0, 1)},"é":${U8(1, 2)}}`, 2],
    ['{"a":{"data_offsets":[0,1],"x":[{"y":[1.5e3,null,true,"z"]}],"dtype":"U8","shape":[1]}}', 1],
  ];
  for (const [text, bytes] of accepted) assert.equal(header(text, bytes), "", text);
});

Deno.test("inspectSafetensors() checks the size of every dtype, including those smaller than a byte", () => {
  const bytesOfEight: Record<string, number> = {
    F4: 4,
    F6_E2M3: 6,
    F6_E3M2: 6,
    BOOL: 8,
    U8: 8,
    I8: 8,
    F8_E5M2: 8,
    F8_E4M3: 8,
    F8_E8M0: 8,
    F8_E4M3FNUZ: 8,
    F8_E5M2FNUZ: 8,
    I16: 16,
    U16: 16,
    F16: 16,
    BF16: 16,
    I32: 32,
    U32: 32,
    F32: 32,
    C64: 64,
    F64: 64,
    I64: 64,
    U64: 64,
  };
  for (const [dtype, bytes] of Object.entries(bytesOfEight)) {
    assert.equal(verdict(safetensors({ a: [dtype, [2, 4], bytes] })), "", dtype);
    assert.match(verdict(safetensors({ a: [dtype, [2, 4], bytes + 1] })), /takes \d+ bytes/, dtype);
  }
  assert.match(verdict(safetensors({ a: ["F4", [3], 2] })), /ends inside a byte/);
  assert.match(verdict(safetensors({ a: ["F8_E4M3FN", [1], 1] })), /dtype "F8_E4M3FN", expected one of F4/);
});

Deno.test("inspectSafetensors() refuses duplicate names, which JSON.parse would hide", () => {
  assert.match(header(`{"a":${U8(0, 1)},"a":${U8(0, 1)}}`), /has "a" twice/);
  assert.match(header(`{"a":${U8(0, 1)},"\\u0061":${U8(0, 1)}}`), /has "a" twice/);
  assert.match(header(`{"__metadata__":{},"__metadata__":{}}`, 0), /has "__metadata__" twice/);
  assert.match(header('{"__metadata__":{"x":"1","x":"2"}}', 0), /metadata has "x" twice/);
  const field = '{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}';
  assert.match(header(field), /"a" has the field "dtype" twice/);
});

Deno.test("inspectSafetensors() refuses gaps, overlaps, and bytes outside of all tensors", () => {
  assert.match(header(`{"a":${U8(1, 2)}}`, 2), /"a" leaves a gap before it: it starts at 1, expected 0/);
  assert.match(header(`{"a":${U8(0, 2)},"b":${U8(1, 3)}}`, 3), /"b" overlaps the one before it/);
  assert.match(header(`{"a":${U8(0, 1)}}`, 2), /take 1 byte, but 2 follow/);
  assert.match(header(`{"a":${U8(0, 3)}}`, 2), /take 3 bytes, but 2 follow/);
  assert.match(
    header('{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}'),
    /data_offsets 1 to 0, but U8 \[1\] takes 1 byte/,
  );
});

Deno.test("inspectSafetensors() refuses an invalid header", () => {
  assert.match(verdict(new Uint8Array(0)), /is 0 bytes/);
  assert.match(
    verdict(new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n")),
    /"version "/,
  );
  assert.match(verdict(safetensorsBytes("{}", 0).subarray(0, 9)), /should be 2 bytes, but only 1 follow/);
  const huge = safetensorsBytes("{}", 0);
  new DataView(huge.buffer).setBigUint64(0, 100_000_001n, true);
  assert.match(verdict(huge), /100000001 bytes, the format allows 100000000/);
  assert.match(header(` {"a":${U8(0, 1)}}`), /begins with " ", expected "\{"/);
  assert.match(header("[]", 0), /begins with "\[", expected "\{"/);
  assert.match(header(`{"a":${U8(0, 1)}}\0`), /byte 0x00 at line 1, column 54, expected its end/);
  assert.match(header(`{"a":${U8(0, 1)},}`), /"\}" at line 1, column 54, expected "\\""/);
  assert.match(header(`{"a":${U8(0, 1)}`), /ends where "\}" was expected/);
  assert.match(header('{"a":1}'), /expected "\{"/);
  assert.match(header("{}{}", 0), /expected its end/);
  assert.match(header('{"__metadata__":{"a":1}}', 0), /expected "\\""/);
  assert.match(header('{"a":{"dtype":"U8","shape":[1]}}'), /lacks one of dtype, shape and two data_offsets/);
  assert.match(header('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}'), /lacks one of/);
  assert.match(
    header('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}'),
    /no more than 2 numbers/,
  );
  for (const shape of ["1.0", "-1", "01", "1e0", '"1"', "9007199254740993", "NaN"]) {
    const text = `{"a":{"dtype":"U8","shape":[${shape}],"data_offsets":[0,1]}}`;
    assert.match(header(text), /expected a (whole )?number/, shape);
  }
  const wide = Array.from({ length: 65 }, () => 1).join();
  assert.match(header(`{"a":{"dtype":"U8","shape":[${wide}],"data_offsets":[0,1]}}`), /no more than 64/);
  const vast = `{"a":{"dtype":"U8","shape":[4503599627370496,4096],"data_offsets":[0,1]}}`;
  assert.match(header(vast), /larger than any file/);
  assert.match(header('{"\\ud800":1}'), /escape sequence that means nothing/);
  assert.match(header('{"\\x":1}'), /escape sequence that means nothing/);
  assert.match(header('{"a\n":1}'), /byte 0x0a in a text/);
  assert.match(
    verdict(safetensorsBytes(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), 0)),
    /not UTF-8/,
  );
  assert.match(header(`{"${"x".repeat(5000)}":1}`), /a name of less than 4096 bytes/);
  assert.match(header(`{"a":{"x":${"[".repeat(2000)}`), /more than 1000 levels deep/);
});

Deno.test("inspectSafetensors() reports differences from the active release's tensors, and refuses them if configured", () => {
  using dir = tempDir();
  const active = stagedFile(
    dir.path,
    "old/m.safetensors",
    safetensors({ w: ["F32", [2, 2], 16], b: ["F32", [2], 8] }),
  );
  const file = stagedFile(
    dir.path,
    "m.safetensors",
    safetensors({ w: ["F16", [2, 2], 8], c: ["F32", [2], 8] }),
  );
  const inspect = (policy: DriftSetting, before = active) => {
    const context = testContext();
    inspectSafetensors(context, file, before, policy);
    return context.log.lines;
  };
  const difference = '"w" is F16 [2, 2], was F32 [2, 2]; "c" (F32 [2]) is new; "b" (F32 [2]) is missing';
  assert.deepEqual(inspect("warn"), [
    `warn m.safetensors: its tensors differ from those of the active release: ${difference}`,
  ]);
  assert.deepEqual(inspect("ignore"), []);
  assert.throws(() => inspect("refuse"), {
    message:
      `Cannot activate m.safetensors: its tensors differ from those of the active release: ${difference}`,
    hint: /safetensors\.shape_drift/,
  });
  assert.deepEqual(inspect("refuse", file), []);
});

Deno.test("an active file that is damaged, missing, or a folder is not compared, and a warning says so", () => {
  using dir = tempDir();
  const file = stagedFile(dir.path, "m.safetensors", safetensors({ w: ["F16", [2, 2], 8] }));
  const active = stagedFile(dir.path, "old/m.safetensors", "{}");
  const inspect = () => {
    const context = testContext();
    inspectSafetensors(context, file, active, "refuse");
    return context.log.lines.join("\n");
  };
  const warning = /^warn cannot compare with old\/m\.safetensors of the active release: .*$/;
  assert.match(inspect(), warning);
  Deno.removeSync(active.location);
  assert.match(inspect(), warning);
  Deno.mkdirSync(active.location);
  assert.match(inspect(), warning);
});

Deno.test("a thousand differences are reported in one line", () => {
  using dir = tempDir();
  const many = Object.fromEntries(
    Array.from({ length: 1000 }, (_, index) => [`t${index}`, ["U8", [1], 1] as const]),
  );
  const context = testContext();
  const active = stagedFile(dir.path, "old", safetensors({}));
  inspectSafetensors(context, stagedFile(dir.path, "new", safetensors(many)), active, "warn");
  assert.match(context.log.lines[0] ?? "", /"t4" \(U8 \[1\]\) is new; and 995 more$/);
});

Deno.test("looksLikeSafetensors() recognises the format by its first bytes, and no other format with a length and JSON", () => {
  const bytes = safetensors({ a: ["F32", [2], 8] });
  assert.ok(looksLikeSafetensors(bytes, bytes.length));
  const described = safetensorsBytes(safetensorsHeader({}, { format: "pt" }), 0);
  assert.ok(looksLikeSafetensors(described, described.length));
  const other = safetensorsBytes('{"files":{}}', 0);
  assert.ok(!looksLikeSafetensors(other, other.length));
  assert.ok(!looksLikeSafetensors(bytes.subarray(0, 8), 8));
  assert.ok(!looksLikeSafetensors(bytes, 20));
  assert.ok(!looksLikeSafetensors(new TextEncoder().encode("GGUF\x03\0\0\0\x7b"), 9));
});

Deno.test("inspectSafetensors() throws nothing but refusals for random bytes and flipped bits", () => {
  const valid = safetensors({
    "layers.0.weight": ["BF16", [16, 4], 128],
    "layers.0.bias": ["F32", [4], 16],
    "scale": ["F8_E4M3", [], 1],
  });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void verdict(bytes)));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      verdict(safetensorsBytes(new Uint8Array([0x7b, ...bytes]), 3));
    }),
  );
  fc.assert(fc.property(fc.json(), (text) => void header(text)));
  const flips = fc.array(fc.nat(valid.length * 8 - 1), { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(flips, (bits) => void verdict(flipped(valid, bits))));
});

function flipped(bytes: Uint8Array, bits: readonly number[]): Uint8Array {
  const copy = new Uint8Array(bytes);
  for (const bit of bits) copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

Deno.test("every flipped bit in a header is refused, except those that only rename a tensor", () => {
  const text = `{"a":${U8(0, 1)}}`;
  const valid = safetensorsBytes(text, 1);
  for (let bit = 0; bit < (8 + text.length) * 8; bit++) {
    const passes = verdict(flipped(valid, [bit])) === "";
    const byte = bit >> 3;
    const isName = byte === 8 + 2;
    assert.ok(!passes || isName, `bit ${bit & 7} of byte ${byte} ${text[byte - 8]}`);
  }
});

Deno.test("a header at the format's limit is read without holding it in memory", () => {
  using dir = tempDir();
  const location = `${dir.path}/m.safetensors`;
  const length = 100_000_000;
  const piece = new TextEncoder().encode("[],".repeat(300_000));
  {
    using file = Deno.openSync(location, { write: true, create: true });
    file.writeSync(safetensorsBytes('{"a":{"x":[', 0));
    for (let size = 0; size < length - piece.length; size += piece.length) file.writeSync(piece);
    file.truncateSync(length + 8);
    file.seekSync(0, Deno.SeekMode.Start);
    file.writeSync(safetensorsBytes("", 0).map((_, index) => [0x00, 0xe1, 0xf5, 0x05][index] ?? 0));
  }
  const before = Deno.memoryUsage();
  const file = { path: "m", location, size: length + 8, sha256: "" };
  assert.throws(() => inspectSafetensors(testContext(), file, undefined, "warn"), InvalidModelError);
  const after = Deno.memoryUsage();
  const grown = after.heapTotal + after.external - before.heapTotal - before.external;
  assert.ok(grown < 64 * 1024 * 1024, `${grown} bytes`);
});
