import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import { adler32 } from "../../lib/core/adler32.ts";
import { noise } from "../helpers/temp_dir.ts";

Deno.test("adler32() is the checksum that zlib expects, in one piece and in several", () => {
  assert.equal(adler32(new TextEncoder().encode("Wikipedia")), 0x11e60398);
  for (const bytes of [new Uint8Array(0), new Uint8Array(60_000).fill(255), noise(60_000, 7)]) {
    const cut = Math.floor(bytes.length / 3);
    const sum = adler32(bytes.subarray(cut), adler32(bytes.subarray(0, cut)));
    const stream = new Uint8Array(2 + 5 + bytes.length + 4);
    const view = new DataView(stream.buffer);
    stream.set([0x78, 0x01, 1]);
    view.setUint16(3, bytes.length, true);
    view.setUint16(5, ~bytes.length & 0xffff, true);
    stream.set(bytes, 7);
    view.setUint32(7 + bytes.length, sum);
    assert.deepEqual(new Uint8Array(inflateSync(stream)), bytes);
  }
});
