import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import {
  CHUNK_BYTES,
  CHUNKED_FILE_BYTES_MIN,
  copyAndHash,
  FileHasher,
  hashFile,
  sha256Hex,
} from "../../lib/core/hash.ts";
import { noise, tempDir } from "../helpers/temp_dir.ts";

const signal = new AbortController().signal;
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

Deno.test("hashFile() and copyAndHash() return the digest of files of any size", async () => {
  using dir = tempDir();
  for (const size of [0, 1, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 3_500_000]) {
    const bytes = noise(size, size);
    Deno.writeFileSync(`${dir.path}/a`, bytes);
    assert.deepEqual(await hashFile(Deno, `${dir.path}/a`, { signal }), {
      bytes: size,
      sha256: sha256(bytes),
    });
    const copy = await copyAndHash(Deno, `${dir.path}/a`, `${dir.path}/copy-${size}`, { signal });
    assert.equal(copy.sha256, sha256(bytes));
    assert.deepEqual(Deno.readFileSync(`${dir.path}/copy-${size}`), bytes);
  }
});

Deno.test("copyAndHash() never overwrites", async () => {
  using dir = tempDir();
  Deno.writeTextFileSync(`${dir.path}/a`, "a");
  Deno.writeTextFileSync(`${dir.path}/b`, "b");
  await assert.rejects(
    copyAndHash(Deno, `${dir.path}/a`, `${dir.path}/b`, { signal }),
    Deno.errors.AlreadyExists,
  );
});

Deno.test("FileHasher returns the same digest however the bytes are divided", async () => {
  const bytes = noise(5000, 1);
  await fc.assert(fc.asyncProperty(fc.array(fc.nat({ max: 5000 })), async (cuts) => {
    const hasher = await FileHasher.create(bytes.length);
    const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
    for (const [index, edge] of edges.slice(1).entries()) hasher.update(bytes.subarray(edges[index], edge));
    assert.deepEqual(hasher.digest(), { bytes: 5000, sha256: sha256(bytes) });
  }));
});

Deno.test("FileHasher returns chunk digests for files over 64 MiB, even if pieces cross chunk boundaries", async () => {
  const size = CHUNKED_FILE_BYTES_MIN + 1_000_000;
  const bytes = new Uint8Array(size);
  for (let offset = 0; offset < size; offset += 1_000_003) {
    bytes.fill(offset % 251, offset, offset + 1_000_003);
  }
  const hasher = await FileHasher.create(size);
  for (let offset = 0; offset < size; offset += 1_000_003) {
    hasher.update(bytes.subarray(offset, offset + 1_000_003));
  }
  const { chunks } = hasher.digest();
  const expected = [];
  for (let offset = 0; offset < size; offset += CHUNK_BYTES) {
    expected.push(sha256(bytes.subarray(offset, offset + CHUNK_BYTES)));
  }
  assert.deepEqual(chunks, expected);
});

Deno.test("hashFile() stops when its signal is aborted", async () => {
  using dir = tempDir();
  Deno.writeFileSync(`${dir.path}/a`, noise(3_000_000, 1));
  const controller = new AbortController();
  const hashing = hashFile(Deno, `${dir.path}/a`, {
    signal: controller.signal,
    onBytes: () => controller.abort(new Error("stop")),
  });
  await assert.rejects(hashing, /stop/);
});

Deno.test("sha256Hex() hashes text as UTF-8", async () => {
  assert.equal(await sha256Hex("é🧠"), sha256(new TextEncoder().encode("é🧠")));
});

Deno.test("FileHasher returns no chunk digest for an empty rest, and none for a file of exactly 64 MiB", async () => {
  const chunked = await FileHasher.create(CHUNKED_FILE_BYTES_MIN + 1);
  chunked.update(new Uint8Array(CHUNK_BYTES));
  const { chunks, sha256 } = chunked.digest();
  assert.deepEqual(chunks, [sha256]);
  const whole = await FileHasher.create(CHUNKED_FILE_BYTES_MIN);
  whole.update(new Uint8Array(CHUNK_BYTES));
  assert.deepEqual(whole.digest(), { bytes: CHUNK_BYTES, sha256 });
});
