import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { Chunks } from "../../lib/core/chunk_list.ts";
import {
  CHUNKED_FILE_BYTES_MIN,
  copyAndHash,
  FileHasher,
  hashFile,
  isChunked,
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

Deno.test("hashFile() reads small files one after the other into one buffer, and files at once into several", async () => {
  using dir = tempDir();
  const paths = ["a", "b", "c"].map((name) => `${dir.path}/${name}`);
  for (const path of paths) Deno.writeTextFileSync(path, path);
  const buffers = new Set<ArrayBufferLike>();
  for (const path of paths) {
    await hashFile(Deno, path, { signal, onBytes: ({ buffer }) => void buffers.add(buffer) });
  }
  assert.equal(buffers.size, 1);
  const texts = paths.map(async (path) => {
    let text = "";
    const onBytes = async (piece: Uint8Array) => {
      await new Promise((resolve) => setTimeout(resolve));
      text = new TextDecoder().decode(piece);
    };
    await hashFile(Deno, path, { signal, onBytes });
    return text;
  });
  assert.deepEqual(await Promise.all(texts), paths);
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
    const hasher = await FileHasher.create();
    const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
    for (const [index, edge] of edges.slice(1).entries()) hasher.update(bytes.subarray(edges[index], edge));
    assert.deepEqual(hasher.digest(), { bytes: 5000, sha256: sha256(bytes) });
  }));
});

Deno.test("FileHasher lists the chunks of a file of 16 MiB and more, if a manifest will list it", async () => {
  const bytes = noise(CHUNKED_FILE_BYTES_MIN, 1);
  const listOf = async (hasher: Promise<FileHasher>) => {
    const created = await hasher;
    created.update(bytes);
    return created.digest();
  };
  const { contentChunks = "", ...digest } = await listOf(FileHasher.createForManifest(bytes.length));
  assert.deepEqual(digest, { bytes: bytes.length, sha256: sha256(bytes) });
  assert.ok((Chunks.read(contentChunks, bytes.length)?.count ?? 0) > 10);
  assert.deepEqual(await listOf(FileHasher.createForManifest(bytes.length - 1)), digest);
  assert.deepEqual(await listOf(FileHasher.create()), digest);
  assert.deepEqual([isChunked(64 * 1024 ** 3), isChunked(64 * 1024 ** 3 + 1)], [true, false]);
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
