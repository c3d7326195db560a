import assert from "node:assert/strict";
import fc from "fast-check";
import { inspectGguf, looksLikeGguf } from "../../../lib/validators/tensors/gguf.ts";
import { InvalidModelError } from "../../../lib/validators/invalid_model.ts";
import { gguf, GGUF_TENSORS, type GgufParts, GgufWriter, stagedFile } from "../../helpers/model_files.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";

/** Returns the refusal of a file, or an empty text. */
function verdict(bytes: Uint8Array): string {
  using dir = tempDir();
  try {
    inspectGguf(testContext(), stagedFile(dir.path, "m.gguf", bytes), undefined, "warn");
    return "";
  } catch (error) {
    assert.ok(error instanceof InvalidModelError, String(error));
    assert.match(error.message, /^Cannot activate m\.gguf: it is not a valid GGUF file: /);
    return error.message;
  }
}

const made = (parts: GgufParts) => verdict(gguf(parts));

/** Returns the refusal of a header with these counts and the given rest. */
function raw(tensors: number | bigint, keys: number | bigint, write: (writer: GgufWriter) => void): string {
  const writer = new GgufWriter().raw(new TextEncoder().encode("GGUF")).u32(3).u64(tensors).u64(keys);
  write(writer);
  return verdict(writer.bytes());
}

Deno.test("inspectGguf() accepts versions 2 and 3, either byte order, and any alignment that is a power of two", () => {
  assert.equal(made({}), "");
  assert.equal(made({ version: 2 }), "");
  assert.equal(made({ littleEndian: false }), "");
  assert.equal(made({ alignment: 64 }), "");
  assert.equal(made({ alignment: 1 }), "");
  // A vocabulary without tensors.
  assert.equal(made({ tensors: [], dataBytes: 0 }), "");
  // A future type: its size is unknown, but its offset is checked.
  assert.equal(made({ tensors: [["x", 200, [7], 32]], dataBytes: 33 }), "");
  // The padding of the last tensor is optional, and the file may be padded, too.
  assert.equal(made({ dataBytes: 100 }), "");
  assert.equal(made({ dataBytes: 4096 }), "");
  // Lists of lists.
  assert.equal(
    raw(
      0,
      1,
      (writer) =>
        writer.text("k").u32(9).u32(9).u64(2).u32(8).u64(1).text("a").u32(0).u64(1).raw(new Uint8Array(1)),
    ),
    "",
  );
});

Deno.test("inspectGguf() refuses another magic and another version", () => {
  assert.match(
    verdict(new TextEncoder().encode("<html>\n\n")),
    /begins with "<html>\\n\\n", expected "GGUF"/,
  );
  assert.match(verdict(new TextEncoder().encode("GGUF")), /ends after 4 bytes/);
  assert.match(verdict(new Uint8Array(0)), /ends after 0 bytes/);
  assert.match(made({ version: 1 }), /version 1, expected 2 or 3/);
  assert.match(made({ version: 1, littleEndian: false }), /version 1, expected 2 or 3/);
  assert.match(made({ version: 4 }), /version 4, expected 2 or 3/);
});

Deno.test("inspectGguf() refuses tensors at impossible offsets", () => {
  const [a, b] = [GGUF_TENSORS[0] ?? assert.fail(), GGUF_TENSORS[1] ?? assert.fail()];
  assert.match(made({ tensors: [a, ["b", 2, [64], 65]] }), /"b" starts at 65, expected a multiple of 32/);
  assert.match(made({ tensors: [a, ["b", 2, [64], 32]] }), /"a" and "b" overlap/);
  assert.match(made({ dataBytes: 99 }), /"b" ends at byte 100 of the data, the file holds 99/);
  assert.match(made({ tensors: [["x", 200, [7], 64]], dataBytes: 33 }), /"x" ends at byte 64/);
  assert.match(made({ tensors: [a, a] }), /has the tensor "a" twice/);
  assert.match(made({ tensors: [["a", 0, [1, 1, 1, 1, 1], 0]] }), /5 dimensions, at most 4/);
  assert.match(made({ tensors: [["a", 2, [33], 0]] }), /rows of 33 elements, Q4_0 packs 32 together/);
  assert.match(made({ tensors: [["a", 4096, [1], 0], b] }), /type 4096, expected one of ggml's/);
  const wide = [2 ** 40, 2 ** 40];
  assert.match(made({ tensors: [["a", 0, wide, 0]] }), /larger than any file/);
  assert.match(made({ alignment: 48 }), /is 48, expected a power of two/);
  assert.match(made({ alignment: 0 }), /is 0, expected a power of two/);
});

Deno.test("inspectGguf() refuses counts and lengths beyond the size of the file", () => {
  assert.match(raw(0, 2n ** 63n, () => {}), /announces 9223372036854776000 keys, the limit is 100000/);
  assert.match(raw(2n ** 40n, 0, () => {}), /announces 1099511627776 tensors, the limit is 500000/);
  assert.match(raw(400_000, 0, () => {}), /header announces 8/);
  assert.match(raw(0, 1, (writer) => writer.u64(2n ** 62n)), /a name of 4611686018427388000 bytes/);
  assert.match(raw(0, 1, (writer) => writer.u64(60_000)), /header announces 60000/);
  assert.match(raw(0, 1, (writer) => writer.text("k").u32(8).u64(2n ** 62n)), /header announces 46/);
  assert.match(raw(0, 1, (writer) => writer.text("k").u32(9).u32(4).u64(2n ** 62n)), /header announces/);
  assert.match(raw(0, 1, (writer) => writer.text("k").u32(9).u32(8).u64(2n ** 62n)), /header announces 8/);
  assert.match(
    raw(0, 1, (writer) => writer.text("k").u32(13)),
    /"k" has a value of type 13, expected 0 to 12/,
  );
  assert.match(raw(0, 1, (writer) => writer.text("k").u32(9).u32(13).u64(1)), /value of type 13/);
  assert.match(
    raw(0, 1, (writer) => {
      writer.text("k").u32(9);
      for (let depth = 0; depth < 6; depth++) writer.u32(9).u64(1);
    }),
    /lists more than 4 levels deep/,
  );
  assert.match(raw(0, 1, (writer) => writer.text("")), /key 0 has no name/);
  assert.match(
    raw(0, 2, (writer) => writer.text("k").u32(4).u32(1).text("k").u32(4).u32(1)),
    /key "k" twice/,
  );
  assert.match(raw(0, 1, (writer) => writer.text("general.alignment").u32(5).u32(32)), /type 5, expected 4/);
  assert.match(raw(0, 1, (writer) => writer.u64(1).raw(new Uint8Array([0xff]))), /not UTF-8/);
});

Deno.test("a list of empty lists ends at the limit of the header, whatever its count", () => {
  using dir = tempDir();
  const location = `${dir.path}/m.gguf`;
  const head = new GgufWriter().raw(new TextEncoder().encode("GGUF")).u32(3).u64(0).u64(1).text("k").u32(9)
    .u32(8)
    .u64(2n ** 40n).bytes();
  const size = 200 * 1024 * 1024;
  {
    // Endless zeros are empty texts.
    using file = Deno.openSync(location, { write: true, create: true });
    file.writeSync(head);
    file.truncateSync(size);
  }
  assert.throws(
    () => inspectGguf(testContext(), { path: "m", location, size, sha256: "" }, undefined, "warn"),
    { message: /header is larger than the limit of 67108864 bytes/ },
  );
});

Deno.test("inspectGguf() reports differences from the active release's tensors, and refuses them if configured", () => {
  using dir = tempDir();
  const active = stagedFile(dir.path, "old/m.gguf", gguf());
  const changed = gguf({ tensors: [["a", 0, [4, 2], 0], ["b", 6, [64], 64]] });
  const file = stagedFile(dir.path, "m.gguf", changed);
  const context = testContext();
  inspectGguf(context, file, active, "warn");
  const difference = '"a" is F32 [4, 2], was F32 [4, 4]; "b" is Q5_0 [64], was Q4_0 [64]';
  assert.deepEqual(context.log.lines, [
    `warn m.gguf: its tensors differ from those of the active release: ${difference}`,
  ]);
  assert.throws(() => inspectGguf(context, file, active, "refuse"), { hint: /gguf\.shape_drift/ });
  assert.doesNotThrow(() => inspectGguf(context, active, active, "refuse"));
});

Deno.test("looksLikeGguf() recognises the format by its magic", () => {
  assert.ok(looksLikeGguf(gguf()));
  assert.ok(!looksLikeGguf(new TextEncoder().encode("GGU")));
});

Deno.test("inspectGguf() throws nothing but refusals for random bytes and flipped bits", () => {
  const prefix = new TextEncoder().encode("GGUF\x03\0\0\0");
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void verdict(bytes)));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    verdict(new Uint8Array([...prefix, ...bytes]));
  }));
  for (const littleEndian of [true, false]) {
    const valid = gguf({ littleEndian });
    const flips = fc.array(fc.nat(valid.length * 8 - 1), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(flips, (bits) => {
        const copy = new Uint8Array(valid);
        for (const bit of bits) copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        verdict(copy);
      }),
      { numRuns: 300 },
    );
    fc.assert(fc.property(fc.nat(valid.length), (size) => void verdict(valid.subarray(0, size))));
  }
});
