import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { bodyPieces } from "../../lib/http/remote_content.ts";
import { readPieces } from "../../lib/core/read_pieces.ts";
import { startFileServer } from "../../fakes/file_server.ts";
import { noise, tempDir } from "../helpers/temp_dir.ts";

const CONTENT = noise(5 * 1024 ** 2 + 3, 7);

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Uint8Array[] = [];
  for await (const piece of pieces) copies.push(piece.slice());
  return Buffer.concat(copies);
}

Deno.test("bodyPieces() yields exactly the bytes of a body, and nothing for an empty one", async () => {
  await using server = startFileServer(CONTENT);
  assert.ok((await joined(bodyPieces(await fetch(server.url)))).equals(CONTENT));
  assert.equal((await joined(bodyPieces(new Response(null)))).length, 0);
});

Deno.test("a body that is left early, or breaks, returns its buffers for the next reader", async () => {
  using dir = tempDir();
  const path = join(dir.path, "file");
  Deno.writeFileSync(path, CONTENT);
  await using server = startFileServer(CONTENT);
  for (const leaveAfter of [1, 2, 3]) {
    let count = 0;
    for await (const _ of bodyPieces(await fetch(server.url))) if (++count === leaveAfter) break;
    server.faults.push({ kind: "reset", afterBytes: 100_000 });
    await assert.rejects(joined(bodyPieces(await fetch(server.url))), TypeError);
    using file = await Deno.open(path, { read: true });
    const [read, received] = await Promise.all([
      joined(readPieces(file, new AbortController().signal)),
      joined(bodyPieces(await fetch(server.url))),
    ]);
    assert.ok(read.equals(CONTENT), "a file was read wrong");
    assert.ok(received.equals(CONTENT), "a body was received wrong");
  }
});
