import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { ArchiveGuard } from "../../lib/archive/archive_guard.ts";
import { ARCHIVE_LIMITS } from "../../lib/archive/archive_limits.ts";
import type { FileRange, SeekableFile } from "../../lib/archive/file_range.ts";
import { openArchiveFile } from "../../lib/archive/open_archive.ts";
import type { ArchiveEntry } from "../../lib/archive/types.ts";
import { fetchZipStructure, HEAD_BYTES } from "../../lib/archive/zip_parts.ts";
import { RefusedError } from "../../lib/core/errors.ts";
import {
  descriptor,
  extraField,
  FLAG,
  joined,
  type RawEntry,
  type RawZip,
  rawZip,
} from "../helpers/raw_zip.ts";
import { noise } from "../helpers/temp_dir.ts";

const MIB = 1024 * 1024;
const A: RawEntry = { name: "models/a.onnx", content: noise(MIB, 1) };
const B: RawEntry = { name: "models/b.bin", content: noise(2 * MIB, 2) };
const C: RawEntry = { name: "model-sync.json", content: "{}" };

/** A file of which only some ranges can be read. */
class PartlyRead implements SeekableFile {
  readonly #bytes: Uint8Array;
  readonly #isThere: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#isThere = new Uint8Array(bytes.length);
    this.fetch([{ offset: 0, bytes: HEAD_BYTES }]);
  }

  fetch(ranges: readonly FileRange[]): Promise<void> {
    for (const { offset, bytes } of ranges) this.#isThere.fill(1, offset, offset + bytes);
    return Promise.resolve();
  }

  get fetchedBytes(): number {
    return this.#isThere.reduce((sum, one) => sum + one, 0);
  }

  seekSync(offset: number | bigint): number {
    return this.#at = Number(offset);
  }

  readSync(buffer: Uint8Array): number | null {
    if (this.#at >= this.#bytes.length) return null;
    if (this.#isThere[this.#at] === 0) throw new RangeError(`byte ${this.#at} was not fetched`);
    const hole = this.#isThere.indexOf(0, this.#at);
    const end = Math.min(this.#at + buffer.length, hole === -1 ? this.#bytes.length : hole);
    buffer.set(this.#bytes.subarray(this.#at, end));
    const count = end - this.#at;
    this.#at = end;
    return count;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return Promise.resolve(this.readSync(buffer));
  }

  close(): void {}
}

async function entriesOf(bytes: Uint8Array, file: SeekableFile): Promise<readonly ArchiveEntry[]> {
  const guard = new ArchiveGuard("models.zip", bytes.length, ARCHIVE_LIMITS);
  const { signal } = new AbortController();
  return (await openArchiveFile({ file, bytes: bytes.length, guard, signal })).entries;
}

/** Opens a ZIP in parts. @returns its entries, and how many bytes were fetched */
async function openParts(bytes: Uint8Array) {
  const file = new PartlyRead(bytes);
  const guard = new ArchiveGuard("models.zip", bytes.length, ARCHIVE_LIMITS);
  await fetchZipStructure({ file, bytes: bytes.length, guard }, (ranges) => file.fetch(ranges));
  return { entries: await entriesOf(bytes, file), fetchedBytes: file.fetchedBytes };
}

async function openWhole(bytes: Uint8Array): Promise<readonly ArchiveEntry[]> {
  const file = new PartlyRead(bytes);
  await file.fetch([{ offset: 0, bytes: bytes.length }]);
  return await entriesOf(bytes, file);
}

const content = B.content instanceof Uint8Array ? B.content : new Uint8Array();
const sums = { crc: crc32(content), bytes: content.length, compressedBytes: content.length };
const STREAMED: RawEntry = {
  ...B,
  both: { flags: FLAG.utf8 | FLAG.descriptor },
  local: { crc: 0, bytes: 0, compressedBytes: 0 },
  behind: descriptor(sums, { isLong: true }),
};
const FULL = 0xffffffff;

Deno.test("a ZIP whose structure was fetched has the same entries as the whole one, without their contents", async () => {
  const many = Array.from({ length: 3000 }, (_, index) => ({ name: `models/${index}.json`, content: "{}" }));
  const cases: Record<string, readonly [readonly RawEntry[], RawZip?]> = {
    "stored": [[A, B, C]],
    "deflated": [[{ ...A, method: 8 }, { ...B, method: 8 }, C]],
    "streamed": [[A, STREAMED, C]],
    "streamed, at the end": [[A, STREAMED]],
    "with the longest comment": [[A, B, C], { comment: new Uint8Array(0xffff).fill(32) }],
    "with ZIP64 end records": [[A, B, C], {
      zip64: {},
      end: { disk: 0xffff, count: 0xffff, countHere: 0xffff, bytes: FULL, offset: FULL },
    }],
    "with folders and extra fields": [[
      { name: "models/", both: { mode: 0o40755 } },
      A,
      { ...B, both: { extra: extraField(0x5455, new Uint8Array(500)) } },
    ]],
    "with many small files": [[A, ...many, B]],
  };
  for (const [name, [entries, zip]] of Object.entries(cases)) {
    const bytes = rawZip(entries, zip);
    const { entries: found, fetchedBytes } = await openParts(bytes);
    assert.deepEqual(found, await openWhole(bytes), name);
    assert.ok(fetchedBytes < 0.7 * MIB, `${name}: ${fetchedBytes} bytes`);
  }
});

Deno.test("a ZIP whose structure was fetched is refused, or cannot be opened, if the whole one is refused", async () => {
  const cases: Record<string, readonly [readonly RawEntry[], RawZip?]> = {
    "bytes between entries": [[{ ...A, behind: new Uint8Array(10) }, B, C]],
    "overlapping entries": [[A, B, { ...C, isCentralOnly: true, central: { offset: 10 } }]],
    "another name in the local header": [[A, { ...B, local: { name: "models/x.bin" } }, C]],
    "another size in the local header": [[A, { ...B, local: { bytes: 5, compressedBytes: 5 } }, C]],
    "another checksum in the local header": [[A, { ...B, local: { crc: 1 } }, C]],
    "a wrong descriptor": [[
      A,
      { ...STREAMED, behind: descriptor({ ...sums, crc: 1 }, { isLong: true }) },
      C,
    ]],
    "a path that leaves the archive": [[A, { ...B, name: "../b.bin" }, C]],
    "two entries of one name": [[A, B, { ...C, name: "models/b.bin" }]],
    "a link": [[A, { ...C, both: { mode: 0o120777 } }, B]],
    "bytes before the first entry": [[A, B, C], { prefix: new Uint8Array(100) }],
    "bytes after the end": [[A, B, C], { suffix: new Uint8Array(100) }],
    "a false count": [[A, B, C], { end: { count: 2, countHere: 2 } }],
    "a false offset of the directory": [[A, B, C], { end: { offset: 100 } }],
    "a false size of the directory": [[A, B, C], { end: { bytes: 3 * MIB } }],
    "an offset beyond the file": [[A, B, { ...C, central: { offset: 2 ** 31 } }]],
  };
  for (const [name, [entries, zip]] of Object.entries(cases)) {
    const bytes = rawZip(entries, zip);
    await assert.rejects(openWhole(bytes), RefusedError, name);
    await assert.rejects(
      openParts(bytes),
      (error) => error instanceof RefusedError || error instanceof RangeError,
      name,
    );
  }
});

Deno.test("a ZIP with a local header that is longer than what is fetched cannot be opened in parts", async () => {
  const bytes = rawZip([A, { ...B, local: { extra: extraField(0x5455, new Uint8Array(9000)) } }, C]);
  assert.equal((await openWhole(bytes)).length, 3);
  await assert.rejects(openParts(bytes), RangeError);
});

Deno.test("a ZIP that was truncated anywhere, or of which bits are flipped, is never opened in parts as another one", async () => {
  const good = rawZip([A, STREAMED, C]);
  const structure = joined([good.subarray(0, 60), good.subarray(-300)]).length;
  for (let step = 0; step < structure; step += 7) {
    const at = step < 60 ? step : good.length - 300 + (step - 60);
    for (const bytes of [good.subarray(0, at), good.map((byte, index) => index === at ? byte ^ 4 : byte)]) {
      const whole = await openWhole(bytes).catch((error: unknown) => error);
      const parts = await openParts(bytes).then(({ entries }) => entries, (error: unknown) => error);
      if (parts instanceof Error) continue;
      assert.deepEqual(parts, whole, String(at));
    }
  }
});
