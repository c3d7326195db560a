import assert from "node:assert/strict";
import { join } from "node:path";
import { readAt } from "../../lib/core/read_at.ts";
import { RemoteParts } from "../../lib/http/remote_parts.ts";
import { type FileServer, startFileServer } from "../../fakes/file_server.ts";
import { noise, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const MIB = 1024 * 1024;
const CONTENT = noise(20 * MIB, 1);

function open(root: string, server: FileServer, bytesMax = 64 * MIB): Promise<RemoteParts> {
  return RemoteParts.open(testContext(), {
    what: "the archive",
    path: join(root, "parts"),
    limits: { stallMs: 10_000, totalMs: 60_000, bytesMax },
    locate: () => Promise.resolve({ url: server.url, isSigned: true }),
  }, 1000);
}

Deno.test("RemoteParts requests each missing part once, and near ones together", async () => {
  using dir = tempDir();
  await using server = startFileServer(CONTENT);
  await using parts = await open(dir.path, server);
  assert.equal(parts.bytes, CONTENT.length);
  const near = { start: 5 * MIB, end: 5 * MIB + 10 };
  const spans = [{ start: 9 * MIB, end: 10 * MIB }, near, { start: near.end + 100, end: near.end + 200 }];
  await parts.fetch(spans);
  await parts.fetch([...spans, { start: 500, end: 900 }]);
  assert.deepEqual(server.requests.map(({ range }) => range), [
    "bytes=0-999",
    `bytes=${near.start}-${near.end + 199}`,
    `bytes=${9 * MIB}-${10 * MIB - 1}`,
  ]);
  for (const { start, end } of [{ start: 0, end: 1000 }, ...spans]) {
    assert.deepEqual(readAt(parts, start, end - start), CONTENT.subarray(start, end));
  }
  assert.equal(parts.fetchedBytes, 1000 + 210 + MIB);
  await parts.fetch([{ start: 20 * MIB - 5, end: 21 * MIB }]);
  assert.deepEqual(readAt(parts, 20 * MIB - 5, 100), CONTENT.subarray(-5));
});

Deno.test("RemoteParts never returns bytes that were not fetched", async () => {
  using dir = tempDir();
  await using server = startFileServer(CONTENT);
  await using parts = await open(dir.path, server);
  await parts.fetch([{ start: 5 * MIB, end: 6 * MIB }]);
  assert.throws(() => readAt(parts, 999, 2), { code: "PARTS_UNAVAILABLE" });
  assert.throws(() => readAt(parts, 4 * MIB, 1), { code: "PARTS_UNAVAILABLE" });
  parts.seekSync(6 * MIB);
  await assert.rejects(parts.read(new Uint8Array(1)), { code: "PARTS_UNAVAILABLE" });
});

Deno.test("RemoteParts refuses more parts than a whole download is worth, and a file over the limit", async () => {
  using dir = tempDir();
  await using server = startFileServer(CONTENT);
  await using parts = await open(dir.path, server);
  const spans = Array.from(
    { length: 65 },
    (_, index) => ({ start: (index + 1) * 300_000, end: (index + 1) * 300_000 + 1 }),
  );
  await assert.rejects(parts.fetch(spans), { code: "PARTS_UNAVAILABLE" });
  assert.equal(server.requests.length, 1);
  await assert.rejects(open(dir.path, server, 10 * MIB), { code: "DOWNLOAD_TOO_LARGE" });
});

Deno.test("RemoteParts removes its scratch file, also if the file cannot be read in parts", async () => {
  using dir = tempDir();
  await using server = startFileServer(CONTENT);
  await (await open(dir.path, server))[Symbol.asyncDispose]();
  server.hasRanges = false;
  await assert.rejects(open(dir.path, server), { code: "PARTS_UNAVAILABLE" });
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
});
