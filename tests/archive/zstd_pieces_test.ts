import assert from "node:assert/strict";
import { constants, zstdCompressSync } from "node:zlib";
import { zstdPieces, ZstdProblem } from "../../lib/archive/zstd_pieces.ts";
import { rawTar, tarMember } from "../helpers/raw_tar.ts";
import { joined } from "../helpers/raw_zip.ts";
import { readArchive } from "../helpers/read_archive.ts";
import { noise } from "../helpers/temp_dir.ts";

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;
const encoder = new TextEncoder();
/** Several blocks, of all kinds: raw, compressed, one byte repeated. */
const CONTENT = joined([
  noise(500_000, 1),
  encoder.encode("row,1,2,3\n".repeat(50_000)),
  new Uint8Array(400_000),
]);
const PACKED = zstdCompressSync(CONTENT, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
const CHECKSUM_BYTES = 4;

async function decompress(
  bytes: Uint8Array,
  frames: "one" | "many" = "many",
  pieceBytes = 1024 * 1024,
): Promise<Uint8Array> {
  const pieces = async function* () {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      yield await Promise.resolve(bytes.subarray(at, at + pieceBytes));
    }
  };
  const made: Uint8Array[] = [];
  for await (const piece of zstdPieces(pieces(), frames)) made.push(piece.slice());
  return joined(made);
}

async function refuses(bytes: Uint8Array, kind: ZstdProblem["kind"], message: RegExp): Promise<void> {
  await assert.rejects(decompress(bytes), (error) => {
    assert.ok(error instanceof ZstdProblem, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, message);
    return true;
  });
}

function skippable(magic: number, content: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, content.length, true);
  return joined([new Uint8Array([magic, 0x2a, 0x4d, 0x18]), length, content]);
}

/** A frame of one block. @param header what follows the magic */
function frame(header: readonly number[], block: readonly number[]): Uint8Array {
  return new Uint8Array([...MAGIC, ...header, ...block]);
}

Deno.test("zstd is decompressed frame by frame, however its input is divided", async () => {
  for (const pieceBytes of [1, 1000, 1024 * 1024]) {
    assert.deepEqual(await decompress(PACKED, "many", pieceBytes), CONTENT);
  }
  // As pzstd writes them, each behind a frame that says how long it is.
  const parts = [CONTENT.subarray(0, 700_000), CONTENT.subarray(700_000)].map((part) =>
    zstdCompressSync(part)
  );
  const framed = parts.flatMap((part) => [skippable(0x50, new Uint8Array(4)), part]);
  assert.deepEqual(await decompress(joined([...framed, skippable(0x5f, noise(100_000, 1))])), CONTENT);
  assert.deepEqual(await decompress(zstdCompressSync(new Uint8Array(0))), new Uint8Array(0));
  assert.deepEqual(await decompress(PACKED, "one"), CONTENT);
  // A size of two bytes counts from 256.
  const sized = frame([0x60, 44, 0], [300 << 3 & 0xff | 1, 300 >> 5, 0, ...CONTENT.subarray(0, 300)]);
  assert.deepEqual(await decompress(sized), CONTENT.subarray(0, 300));
  await assert.rejects(decompress(joined([PACKED, PACKED]), "one"), { kind: "followed" });
  await assert.rejects(decompress(joined([PACKED, new Uint8Array(1)]), "one"), { kind: "followed" });
});

Deno.test("zstd that is truncated anywhere is refused, even where the runtime would end silently", async () => {
  const cuts = [
    0,
    3,
    4,
    5,
    6,
    10,
    1000,
    PACKED.length >> 1,
    PACKED.length - CHECKSUM_BYTES,
    PACKED.length - 1,
  ];
  for (const cut of cuts) await refuses(PACKED.subarray(0, cut), "damaged", /truncated/);
  await refuses(skippable(0x50, noise(10, 1)).subarray(0, 15), "damaged", /truncated/);
  await refuses(joined([PACKED, PACKED.subarray(0, 2)]), "damaged", /truncated/);
});

Deno.test("every damage to zstd data is an error, and never ends the process", async () => {
  // Flips one bit each in 60 places, header and checksum among them.
  for (let index = 0; index <= 60; index++) {
    const at = Math.min(Math.floor(PACKED.length * index / 60), PACKED.length - 1);
    const bytes = PACKED.slice();
    bytes[at] = (bytes[at] ?? 0) ^ (1 << index % 8);
    const made = await decompress(bytes).catch((error) => {
      assert.ok(error instanceof ZstdProblem, `byte ${at}: ${error}`);
    });
    if (made !== undefined) assert.deepEqual(made, CONTENT, `byte ${at}`);
  }
  await refuses(joined([PACKED, encoder.encode("hidden")]), "damaged", /other bytes follow/);
  await refuses(frame([0x20, 1], [0x07, 0, 0]), "damaged", /./);
  await refuses(frame([0x00, 0x58], [0xf9, 0xff, 0x3f, 0]), "damaged", /block of 524287 bytes/);
});

Deno.test("zstd that needs too much memory or a dictionary is refused before it is decompressed", async () => {
  const empty = [1, 0, 0];
  // Windows of 128 MiB (accepted), just above, and of the format's largest.
  assert.equal((await decompress(frame([0x00, 17 << 3], empty))).length, 0);
  await refuses(frame([0x00, 17 << 3 | 1], empty), "limit", /150994944 bytes of memory, more than 134217728/);
  await refuses(frame([0x00, 0xff], empty), "limit", /bytes of memory/);
  await refuses(frame([0xe0, 0, 0, 0, 0, 0, 0, 0, 1], empty), "limit", /bytes of memory/);
  await refuses(frame([0x01, 0x58, 7], empty), "unsupported", /dictionary/);
});

Deno.test("zstd with many almost empty blocks is refused", async () => {
  // Blocks of 257 equal bytes, then empty ones until the average is below 256.
  const filled = new Uint8Array(4 * 66_000);
  for (let at = 0; at < filled.length; at += 4) filled.set([257 << 3 & 0xff | 2, 257 >> 5], at);
  const empty = new Uint8Array(3 * 1000);
  await refuses(
    joined([frame([0x00, 0x58], []), filled, empty, new Uint8Array([1, 0, 0])]),
    "limit",
    /its 66\d{3} blocks hold almost nothing/,
  );
  const emptyFrame = frame([0x20, 0], [1, 0, 0]);
  const frames = new Uint8Array(emptyFrame.length * 40_000);
  for (let at = 0; at < frames.length; at += emptyFrame.length) frames.set(emptyFrame, at);
  await refuses(frames, "limit", /hold almost nothing/);
});

Deno.test("a tar.zst is refused for faults of its zstd, and of its content", async () => {
  const a = tarMember({ name: "a", content: "weights" });
  const zeros = rawTar(tarMember({ name: "zeros", content: new Uint8Array(70 * 1024 * 1024) }));
  const good = zstdCompressSync(rawTar(a));
  const cases: readonly (readonly [Uint8Array, code: string, RegExp])[] = [
    [good.subarray(0, -1), "ARCHIVE_DAMAGED", /cannot be decompressed: it was truncated$/],
    [joined([good, new Uint8Array(4)]), "ARCHIVE_DAMAGED", /other bytes follow its frames$/],
    [zstdCompressSync(zeros), "ARCHIVE_LIMIT", /more than 200 times as many \(limit ratioMax\)/],
    [
      joined([zstdCompressSync(rawTar(a)), zstdCompressSync(rawTar(a))]),
      "ARCHIVE_UNSAFE",
      /bytes follow its end/,
    ],
    [zstdCompressSync(rawTar(tarMember({ name: "../a" }))), "ARCHIVE_UNSAFE", /has the part "\.\."/],
    [zstdCompressSync(encoder.encode("a table")), "ARCHIVE_FORMAT", /: it is zstd without a tar inside$/],
    [frame([0x00, 0xff], [1, 0, 0]), "ARCHIVE_LIMIT", /compress it without --long$/],
  ];
  for (const [bytes, code, message] of cases) {
    await assert.rejects(readArchive(bytes), { name: "RefusedError", code, message });
  }
});
