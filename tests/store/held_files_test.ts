import assert from "node:assert/strict";
import { basename } from "node:path";
import type { FileSystem } from "../../lib/core/files.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import { HeldFiles } from "../../lib/store/held_files.ts";
import { BlobMemory } from "../../lib/store/blob_memory.ts";
import { activeManifest } from "../../lib/store/pointers.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import { publishFiles, pulledReleases, pullTo, storeOf } from "../helpers/machines.ts";
import { memoryDir, readFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const KEPT = { "a.npy": "kept" };

/** The names of the stat caches that are opened, in a store with three releases. */
async function openedBy(use: (held: HeldFiles) => Promise<void>): Promise<string[]> {
  using dir = memoryDir();
  const sets = ["one", "two", "three"].map((text) => ({ ...KEPT, "b.npy": text }));
  const { bot } = await pulledReleases(dir.path, sets);
  const opened: string[] = [];
  const fs: FileSystem = {
    ...Deno,
    openSync: (path, options) => {
      if (String(path).endsWith(".bin")) opened.push(basename(String(path)));
      return Deno.openSync(path, options);
    },
  };
  const context = testContext({ fs });
  await use(new HeldFiles(context, storeOf(context, bot)));
  return opened;
}

Deno.test("files at their paths in the active release are found without the caches of other releases", async () => {
  const kept = await sha256Hex("kept");
  const opened = await openedBy((held) => {
    for (let times = 0; times < 100; times++) assert.equal(held.find(kept, "a.npy")?.file.path, "a.npy");
    return Promise.resolve();
  });
  assert.equal(opened.length, 1);
});

Deno.test("a content of an older release is found, and many contents are not searched one by one", async () => {
  const opened = await openedBy(async (held) => {
    assert.equal(held.find(await sha256Hex("one"), "b.npy")?.file.path, "b.npy");
    for (let index = 0; index < 500; index++) {
      const sha256 = await sha256Hex(`unknown ${index}`);
      assert.equal(held.find(sha256, "b.npy"), undefined);
      assert.equal(held.holds(sha256), false);
    }
    assert.equal(held.holds(await sha256Hex("two")), true);
  });
  assert.ok(opened.length < 120, String(opened.length));
});

Deno.test("digests of git objects are written only if there are new ones, and forgotten only once most are useless", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, [KEPT]);
  const store = storeOf(testContext(), bot);
  assert.ok(activeManifest(store) !== undefined);
  const never = () => {
    throw new Error("asked");
  };
  const memory = new BlobMemory(store);
  memory.save(1, never);
  for (let index = 0; index < 102; index++) memory.remember(`blob ${index}`, `content ${index}`);
  Deno.removeSync(`${store.root}/git_blobs.json`);
  assert.throws(() => memory.save(1, never), /asked/);
  memory.save(1, () => (sha256) => sha256 === "content 7");
  const again = new BlobMemory(store);
  assert.equal(again.find("blob 7"), "content 7");
  assert.equal(again.find("blob 8"), undefined);
  again.remember("blob 7", "content 7");
  Deno.removeSync(`${store.root}/git_blobs.json`);
  again.save(1, never);
  assert.throws(() => Deno.lstatSync(`${store.root}/git_blobs.json`), Deno.errors.NotFound);
});

Deno.test("a few digests of git objects are found and added without parsing the file, which stays the same JSON", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, []);
  const store = storeOf(testContext(), bot);
  const path = `${store.root}/git_blobs.json`;
  const entry = (
    index: number,
  ) => [index.toString(16).padStart(40, "0"), index.toString(16).padStart(64, "a")];
  const write = (entries: readonly string[][]) => {
    const memory = new BlobMemory(store);
    for (const [blob = "", sha256 = ""] of entries) memory.remember(blob, sha256);
    memory.save(10, () => () => true);
  };
  write([entry(1), entry(2)]);
  write([entry(3)]);
  const [blobs, sha256s] = [
    [1, 2, 3].map((index) => entry(index)[0]),
    [1, 2, 3].map((index) => entry(index)[1]),
  ];
  assert.equal(Deno.readTextFileSync(path), `${JSON.stringify({ schema: 1, blobs, sha256s })}\n`);
  const [changed = ""] = entry(2);
  write([[changed, "b".repeat(64)], ["other length", "c".repeat(64)]]);
  const memory = new BlobMemory(store);
  assert.equal(memory.find(changed), "b".repeat(64));
  assert.equal(memory.find("other length"), "c".repeat(64));
  assert.equal(memory.find(entry(3)[0] ?? ""), entry(3)[1]);
  // A part of a name, and a part of a digest.
  write([entry(4)]);
  for (const part of ["0".repeat(39) + "a", "a".repeat(40), "0".repeat(12)]) {
    assert.equal(new BlobMemory(store).find(part), undefined);
  }
});

Deno.test("what a damaged memory of git objects has in the place of names does not get into the next one", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, []);
  const store = storeOf(testContext(), bot);
  const path = `${store.root}/git_blobs.json`;
  const [good, other] = ["1".repeat(40), "2".repeat(40)];
  const sha256s = ["a".repeat(64), 'b","c\\', "d".repeat(64)];
  Deno.writeTextFileSync(path, JSON.stringify({ schema: 1, blobs: [good, other, 'x"'], sha256s }));
  const memory = new BlobMemory(store);
  memory.remember("3".repeat(40), "e".repeat(64));
  memory.save(10, () => () => true);
  assert.deepEqual(JSON.parse(Deno.readTextFileSync(path)), {
    schema: 1,
    blobs: [good, "3".repeat(40)],
    sha256s: ["a".repeat(64), "e".repeat(64)],
  });
  // It can be looked up after it was saved, too.
  assert.equal(memory.find(good), "a".repeat(64));
});

Deno.test("a damaged digest in the memory of git objects costs time: the release is not refused", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await pulledReleases(dir.path, [KEPT]);
  const store = storeOf(testContext(), bot);
  const path = `${store.root}/git_blobs.json`;
  const [kept, damaged] = [await sha256Hex("kept"), "0".repeat(64)];
  const text = Deno.readTextFileSync(path).replace(kept, damaged);
  assert.ok(text.includes(damaged));
  Deno.writeTextFileSync(path, text);
  // Without the last revision, the whole commit is compared with its manifest.
  Deno.removeSync(store.revisions);
  const next = { ...KEPT, "b.npy": "new" };
  await publishFiles(trainer, next);
  assert.equal((await pullTo(testContext(), bot)).outcome, "activated");
  assert.deepEqual(readFiles(bot.modelsDir), next);
  assert.ok(!Deno.readTextFileSync(path).includes(damaged));
});

Deno.test("a disk that takes no digests of git objects costs the next pull only time", async () => {
  using dir = memoryDir();
  const faults: string[] = [];
  const fs = countingFs((step) => {
    if (!/^open .*git_blobs\.json/.test(step)) return;
    faults.push(step);
    throw osError("ENOSPC");
  });
  const { trainer, bot } = await pulledReleases(dir.path, []);
  await publishFiles(trainer, KEPT);
  await pullTo(testContext({ fs }), bot);
  assert.deepEqual(readFiles(bot.modelsDir), KEPT);
  assert.equal(faults.length, 1);
  const memory = new BlobMemory(storeOf(testContext({ fs }), bot));
  for (let index = 0; index < 40; index++) memory.remember(`${index}`, `${index}`);
  memory.save(10, () => () => true);
  assert.equal(faults.length, 2);
});
