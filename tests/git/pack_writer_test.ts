import assert from "node:assert/strict";
import { join } from "node:path";
import { encodePackIndex, packedIds } from "../../lib/git/pack_index.ts";
import { PackWriter } from "../../lib/git/pack_writer.ts";
import { readStoredBlob } from "../../lib/git/stored_blob.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { memoryDir, noise } from "../helpers/temp_dir.ts";
import { git, GIT_ENV, gitWithInput } from "../helpers/test_git.ts";

/** Sizes around the limits of headers, blocks and buffers. */
const SIZES = [0, 1, 15, 16, 2047, 2048, 65_534, 65_535, 65_536, 131_071, 1024 * 1024, 3 * 1024 * 1024 + 7];

for (const format of ["sha1", "sha256"] as const) {
  Deno.test(`git reads every blob of a pack that PackWriter wrote, in a ${format} repository`, async () => {
    using dir = memoryDir();
    git(dir.path, "init", "--quiet", "--bare", `--object-format=${format}`);
    const folder = join(dir.path, "objects/pack");
    await using pack = await PackWriter.create(Deno, { folder, format, count: SIZES.length });
    const blobs = SIZES.map((size, seed) => {
      const bytes = noise(size, seed + 1);
      const blob = pack.begin(size);
      // In pieces that do not match the blocks of the pack.
      for (let start = 0; start < size; start += 70_001) blob.update(bytes.subarray(start, start + 70_001));
      return { id: blob.end(), offset: blob.offset, bytes };
    });
    const name = await pack.finish();
    assert.deepEqual([...Deno.readDirSync(folder)].map((entry) => entry.name).sort(), [
      `${name}.idx`,
      `${name}.pack`,
    ]);
    git(dir.path, "fsck", "--full", "--strict");
    for (const { id, bytes } of blobs) {
      assert.equal(await gitWithInput(dir.path, bytes, "hash-object", "--stdin"), id);
      const read = new Deno.Command("git", { args: ["cat-file", "blob", id], cwd: dir.path, env: GIT_ENV });
      assert.deepEqual(new Uint8Array(read.outputSync().stdout), bytes);
    }
    for (const { offset, bytes } of blobs) {
      assert.deepEqual(readStoredBlob(Deno, join(folder, `${name}.pack`), offset, bytes.length), bytes);
    }
  });
}

Deno.test("readStoredBlob() returns nothing for a pack that is gone or another, and for a blob that is too large", async () => {
  using dir = memoryDir();
  await using pack = await PackWriter.create(Deno, { folder: dir.path, format: "sha1", count: 1 });
  const blob = pack.begin(100_000);
  blob.update(noise(100_000, 1));
  blob.end();
  const path = join(dir.path, `${await pack.finish()}.pack`);
  const read = (offset = blob.offset, bytesMax = 100_000) => readStoredBlob(Deno, path, offset, bytesMax);
  assert.equal(read()?.length, 100_000);
  assert.equal(read(blob.offset, 99_999), undefined);
  for (const offset of [0, 11, 13, 99_999, 200_000]) assert.equal(read(offset), undefined, `at ${offset}`);
  const whole = Deno.readFileSync(path);
  const second = blob.offset + 3 + 2 + 5 + 65_535;
  const damages = { type: blob.offset, length: blob.offset + 6, compressed: blob.offset + 5, second };
  Deno.chmodSync(path, 0o600);
  for (const [name, at] of Object.entries(damages)) {
    Deno.writeFileSync(path, whole.with(at, (whole[at] ?? 0) ^ 0b0010_0010));
    assert.equal(read(), undefined, name);
  }
  Deno.writeFileSync(path, whole.subarray(0, second));
  assert.equal(read(), undefined);
  Deno.removeSync(path);
  assert.equal(read(), undefined);
  Deno.mkdirSync(path);
  assert.equal(read(), undefined);
});

Deno.test("packedIds() returns no names of an index that is shorter than the number of its objects says", () => {
  const ids = ["a".repeat(40), "b".repeat(40)];
  const objects = ids.map((id) => ({ id, offset: 12, crc: 0 }));
  const index = encodePackIndex("sha1", objects, new Uint8Array(20));
  assert.deepEqual(packedIds("sha1", index), ids);
  assert.deepEqual(packedIds("sha1", index.slice(0, 1071)), []);
  new DataView(index.buffer).setUint32(1028, 2 ** 32 - 1);
  assert.deepEqual(packedIds("sha1", index), []);
});

Deno.test("PackWriter takes exactly as many bytes as a blob was begun with, and refuses one object twice", async () => {
  using dir = memoryDir();
  await using pack = await PackWriter.create(Deno, { folder: dir.path, format: "sha1", count: 2 });
  const blob = pack.begin(3);
  assert.throws(() => blob.update(new Uint8Array(4)), RangeError);
  blob.update(new Uint8Array(2));
  assert.throws(() => blob.end(), RangeError);
  blob.update(new Uint8Array(1));
  blob.end();
  const same = pack.begin(3);
  same.update(new Uint8Array(3));
  assert.throws(() => same.end(), { code: "GIT_CONVERTS" });
  await assert.rejects(pack.finish(), TypeError);
});

Deno.test("PackWriter leaves the thread free while the disk writes: every write and sync is asynchronous", async () => {
  using dir = memoryDir();
  const steps: string[] = [];
  const fs = countingFs((step) => steps.push(step.replace(dir.path, "").split("-")[0] ?? ""));
  await using pack = await PackWriter.create(fs, { folder: dir.path, format: "sha1", count: 1 });
  const blob = pack.begin(3 * 1024 * 1024);
  while (blob.left > 0) blob.update(new Uint8Array(1024 * 1024));
  blob.end();
  await pack.finish();
  assert.deepEqual(steps.filter((step) => step.includes("Sync ")), []);
  assert.deepEqual(steps.filter((step) => step.startsWith("sync ")), ["sync /pack", "sync /pack"]);
});

Deno.test("git reads offsets of 2 GiB and more from a pack's index", async () => {
  using dir = memoryDir();
  const objects = [12, 2 ** 31 - 1, 2 ** 31, 5 * 2 ** 31 + 3].map((offset, index) => ({
    id: `${4 - index}`.repeat(40),
    offset,
    crc: 0xffff_fff0 + index,
  }));
  const index = encodePackIndex("sha1", objects, new Uint8Array(20));
  // git show-index does not read the checksum at the end.
  const shown = await gitWithInput(dir.path, index, "show-index", "--object-format=sha1");
  assert.deepEqual(
    shown.split("\n"),
    objects.toReversed().map(({ id, offset, crc }) => `${offset} ${id} (${crc.toString(16)})`),
  );
});

Deno.test("PackWriter flushes a large pack while it grows, and throws the failure of a write", async () => {
  using dir = memoryDir();
  const opened: string[] = [];
  const open: typeof Deno.open = (path, options) => {
    opened.push(String(path));
    return Deno.open(path, options);
  };
  const piece = new Uint8Array(1024 * 1024);
  {
    await using pack = await PackWriter.create({ ...countingFs(() => {}), open }, {
      folder: dir.path,
      format: "sha1",
      count: 1,
    });
    const blob = pack.begin(66 * piece.length);
    while (blob.left > 0) {
      await pack.ready();
      blob.update(piece);
    }
    blob.end();
    await pack.finish();
    assert.deepEqual(opened, [join(dir.path, "pack")]);
  }
  const full = countingFs((step) => {
    if (step.startsWith("write ")) throw new Error("disk full");
  });
  await using pack = await PackWriter.create(full, { folder: dir.path, format: "sha1", count: 1 });
  pack.begin(2 * piece.length).update(piece);
  await assert.rejects(pack.ready(), /disk full/);
});
