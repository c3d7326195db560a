import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSyncError, TransientError } from "../../lib/core/errors.ts";
import { readAt } from "../../lib/core/read_at.ts";
import { RemoteParts } from "../../lib/http/remote_parts.ts";
import { type Fault, type FileServer, startFileServer } from "../../fakes/file_server.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { noise, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const MIB = 1024 * 1024;
const CONTENT = noise(20 * MIB, 1);

function open(root: string, server: FileServer, bytesMax = 64 * MIB): Promise<RemoteParts> {
  return RemoteParts.open(testContext({ clock: new QuickClock("2026-11-21T00:00:00Z", 9_000) }), {
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
  // The two connections may arrive in either order.
  assert.deepEqual(server.requests.map(({ range }) => range).sort(), [
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

Deno.test("RemoteParts refuses answers of another version, size or span, and HTML pages", async () => {
  using dir = tempDir();
  await using server = startFileServer(CONTENT);
  const answer = (headers: Record<string, string>, status = 206): Fault => ({
    kind: "answer",
    make: () => new Response(CONTENT.slice(5 * MIB, 5 * MIB + 10), { status, headers }),
  });
  const range = `bytes ${5 * MIB}-${5 * MIB + 9}/${CONTENT.length}`;
  for (
    const [headers, status] of [
      [{ etag: '"other"', "content-range": range }, 206],
      [{ etag: 'W/"v1"', "content-range": range }, 206],
      [{ "content-range": range }, 206],
      [{ etag: '"v1"', "content-range": range.replace(/\d+$/, "52428800") }, 206],
      [{ etag: '"v1"', "content-range": range.replace(/\d+$/, String(2 ** 60)) }, 206],
      [{ etag: '"v1"', "content-range": `bytes 0-9/${CONTENT.length}` }, 206],
      [{ etag: '"v1"', "content-range": "bytes 5242880-5242889/*" }, 206],
      [{ etag: '"v1"' }, 200],
      [{ etag: '"v1"', "content-type": "text/html", "content-range": range }, 206],
      [{ etag: '"v1"' }, 403],
    ] satisfies readonly (readonly [Record<string, string>, number])[]
  ) {
    await using parts = await open(dir.path, server);
    server.faults.push(
      ...status === 403 ? Array.from({ length: 3 }, () => answer(headers, 403)) : [answer(headers, status)],
    );
    await assert.rejects(
      parts.fetch([{ start: 5 * MIB, end: 5 * MIB + 10 }]),
      ModelSyncError,
      JSON.stringify(headers),
    );
    assert.throws(() => readAt(parts, 5 * MIB, 1), { code: "PARTS_UNAVAILABLE" });
    assert.deepEqual(server.faults, []);
  }
});

Deno.test("RemoteParts continues where a connection broke, and gives up after three failures in a row", async () => {
  using dir = tempDir();
  await using server = startFileServer(CONTENT);
  await using parts = await open(dir.path, server);
  const broken = (afterBytes: number): Fault => ({ kind: "reset", afterBytes });
  server.faults.push(broken(1000), broken(0), broken(1000));
  await parts.fetch([{ start: 5 * MIB, end: 6 * MIB }]);
  assert.deepEqual(readAt(parts, 5 * MIB, MIB), CONTENT.subarray(5 * MIB, 6 * MIB));
  server.faults.push(broken(0), broken(0), broken(0));
  await assert.rejects(parts.fetch([{ start: 7 * MIB, end: 8 * MIB }]), TransientError);
});

Deno.test("RemoteParts requests 100,000 near spans at once", async () => {
  using dir = tempDir();
  await using server = startFileServer(CONTENT);
  await using parts = await open(dir.path, server);
  // Compared one by one with all the others, these spans would take minutes.
  const near = Array.from(
    { length: 100_000 },
    (_, index) => ({ start: 2_000 + 40 * index, end: 2_020 + 40 * index }),
  );
  await parts.fetch(near.toReversed());
  assert.equal(parts.fetchedBytes, 1000 + 40 * 99_999 + 20);
  assert.equal(server.requests.length, 2);
});
