import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, Chunks } from "../../lib/core/chunk_list.ts";
import { ContentChunker } from "../../lib/core/content_chunker.ts";
import { noise } from "../helpers/temp_dir.ts";

const MIB = 1024 ** 2;
const CONTENT = noise(6 * MIB, 1);

function listOf(bytes: Uint8Array, cuts: readonly number[] = []): string {
  const chunker = new ContentChunker(() => createHash("sha256"));
  const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
  for (const [index, edge] of edges.slice(1).entries()) chunker.update(bytes.subarray(edges[index], edge));
  return chunker.finish();
}

function chunksOf(bytes: Uint8Array): { size: number; key: string }[] {
  const chunks = Chunks.read(listOf(bytes), bytes.length);
  assert.ok(chunks !== undefined);
  return Array.from(
    { length: chunks.count },
    (_, index) => ({ size: chunks.end(index) - chunks.start(index), key: chunks.key(index) }),
  );
}

/** Returns the bytes of the chunks that `before` does not have. */
function newBytes(before: Uint8Array, after: Uint8Array): number {
  const known = new Set(chunksOf(before).map(({ key }) => key));
  return chunksOf(after).filter(({ key }) => !known.has(key)).reduce((sum, { size }) => sum + size, 0);
}

Deno.test("the chunks of a file do not depend on the pieces in which it is read", () => {
  const whole = listOf(CONTENT);
  fc.assert(
    fc.property(fc.array(fc.nat({ max: CONTENT.length }), { maxLength: 30 }), (cuts) => {
      assert.equal(listOf(CONTENT, cuts), whole);
    }),
    { numRuns: 15 },
  );
});

Deno.test("the boundaries of format gear-256k never change: published manifests have them", () => {
  assert.equal(
    createHash("sha256").update(listOf(CONTENT)).digest("hex"),
    "68657debfe9b1d9ed53bab59fc2e8bb8eba8ce037909b3c4f621039573536f25",
  );
  assert.equal(listOf(new Uint8Array(0)), "gear-256k:");
});

Deno.test("every chunk is within the limits, also of bytes without a boundary, and has its SHA-256", () => {
  for (const bytes of [CONTENT, new Uint8Array(3 * MIB + 1), new Uint8Array(1)]) {
    const chunks = chunksOf(bytes);
    for (const [index, { size }] of chunks.entries()) {
      assert.ok(
        size <= CHUNK_BYTES_MAX && (size >= CHUNK_BYTES_MIN || index === chunks.length - 1),
        `${size}`,
      );
    }
    const [first] = chunks;
    const digest = createHash("sha256").update(bytes.subarray(0, first?.size)).digest("binary");
    assert.equal(first?.key, digest.slice(0, 16));
  }
});

Deno.test("a change touches only the chunks beside it, and a grown header not those behind it", () => {
  fc.assert(
    fc.property(fc.nat({ max: CONTENT.length - 5000 }), fc.integer({ min: 1, max: 5000 }), (at, length) => {
      const changed = CONTENT.slice();
      changed.set(noise(length, at + 2), at);
      assert.ok(newBytes(CONTENT, changed) <= 3 * CHUNK_BYTES_MAX);
    }),
    { numRuns: 10 },
  );
  const grown = new Uint8Array(CONTENT.length + MIB);
  grown.set(noise(MIB, 3));
  grown.set(CONTENT, MIB);
  assert.ok(newBytes(CONTENT, grown) <= MIB + CHUNK_BYTES_MAX);
});

Deno.test("Chunks.read() has a reason for every list that is not one of the file", () => {
  const list = listOf(CONTENT);
  const packed = (...sizes: number[]) =>
    `gear-256k:${
      btoa(
        sizes.map((size) => String.fromCharCode(size >> 16, (size >> 8) & 255, size & 255) + "d".repeat(16))
          .join(""),
      )
    }`;
  const cases: readonly [string, number, RegExp][] = [
    [list, CONTENT.length + 1, /^covers 6291456 of 6291457 bytes$/],
    [list.slice(0, -4), CONTENT.length, /^is damaged$/],
    [`${list}!`, CONTENT.length, /^is damaged$/],
    [packed(CHUNK_BYTES_MIN - 1, CHUNK_BYTES_MIN), 2 * CHUNK_BYTES_MIN - 1, /^has a chunk of 131071 bytes$/],
    [packed(CHUNK_BYTES_MAX + 1), CHUNK_BYTES_MAX + 1, /^has a chunk of 1048577 bytes$/],
    [packed(0), 0, /^has a chunk of 0 bytes$/],
    ["gear-256k:", 1, /^covers 0 of 1 bytes$/],
  ];
  for (const [text, bytes, message] of cases) {
    assert.throws(() => Chunks.read(text, bytes), { name: "RangeError", message }, `${message}`);
  }
  assert.equal(Chunks.read("gear-512k:AAAA", 3), undefined);
});
