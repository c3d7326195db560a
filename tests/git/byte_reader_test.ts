import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../lib/git/byte_reader.ts";

/** Yields the same buffer for every piece, as a pipe does: a piece is invalid when the next one is requested. */
async function* reused(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.max(1, bytes.length));
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (const [index, edge] of edges.slice(1).entries()) {
    const piece = bytes.subarray(edges[index], edge);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
    buffer.fill(0);
    await Promise.resolve();
  }
}

Deno.test("ByteReader reads lines and counted bytes in turn, however the stream is cut", async () => {
  const encoder = new TextEncoder();
  const records = fc.array(
    fc.record({ header: fc.stringMatching(/^[a-z0-9 ]{0,20}$/), body: fc.uint8Array({ maxLength: 50 }) }),
  );
  await fc.assert(fc.asyncProperty(records, fc.array(fc.nat()), async (list, cuts) => {
    const bytes = new Uint8Array(
      list.flatMap(({ header, body }) => [...encoder.encode(`${header}\n`), ...body, 10]),
    );
    const reader = new ByteReader(reused(bytes, cuts));
    for (const { header, body } of list) {
      assert.equal(await reader.readLine(), header);
      const read: number[] = [...reader.takeBytes(body.length) ?? []];
      for await (const piece of reader.readBytes(body.length - read.length)) read.push(...piece);
      assert.deepEqual(read, [...body]);
      assert.equal(await reader.readLine(), "");
    }
    assert.equal(await reader.readLine(), undefined);
  }));
});

Deno.test("ByteReader says when the stream ends early or a line never ends", async () => {
  const short = new ByteReader(reused(new Uint8Array(3), []));
  await assert.rejects(async () => {
    for await (const _piece of short.readBytes(5));
  }, { code: "STREAM_INVALID", message: /2 bytes early/ });
  const endless = new ByteReader(reused(new Uint8Array(10_000).fill(65), [1000, 5000]));
  await assert.rejects(endless.readLine(), { code: "STREAM_INVALID" });
});
