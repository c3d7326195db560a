import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { hubOf, pullTo, REPO, sourceOptions } from "../helpers/hub_machines.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { osError } from "../helpers/fake_fs.ts";
import { testContext } from "../helpers/test_context.ts";
import { readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { HubBench } from "./hub_bench.ts";

const MODELS = { "model.joblib": "one", "deep/er/scaler.joblib": "two", "config.json": "{}" };

class CacheBench extends HubBench {
  get cacheFolder(): string {
    return join(this.path, "hf/hub");
  }

  get repoFolder(): string {
    return join(this.cacheFolder, "models--you--models");
  }

  async pull(changed: Parameters<typeof sourceOptions>[1] = {}) {
    return await pullTo(
      this.context,
      this.bot,
      sourceOptions(this.server, { cacheFolder: this.cacheFolder, ...changed }),
    );
  }
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const blobId = (text: string) => createHash("sha1").update(`blob ${text.length}\0${text}`).digest("hex");

Deno.test("a pull stores the files in the shared cache in the layout of Hugging Face's libraries", async () => {
  await using bench = new CacheBench();
  bench.server.commit(REPO, MODELS);
  await bench.pull();
  const { id } = bench.server.head(REPO);
  assert.deepEqual(readFiles(bench.repoFolder), {
    [`blobs/${sha256("one")}`]: "one",
    [`blobs/${sha256("two")}`]: "two",
    [`blobs/${blobId("{}")}`]: "{}",
    "refs/main": id,
    [`snapshots/${id}/config.json`]: "{}",
    [`snapshots/${id}/deep/er/scaler.joblib`]: "two",
    [`snapshots/${id}/model.joblib`]: "one",
  });
  assert.equal(
    Deno.readLinkSync(join(bench.repoFolder, `snapshots/${id}/deep/er/scaler.joblib`)),
    `../../../../blobs/${sha256("two")}`,
  );
});

Deno.test("a file in the cache is not downloaded, unless its bytes differ", async () => {
  await using bench = new CacheBench();
  bench.server.commit(REPO, MODELS);
  writeFiles(bench.repoFolder, {
    [`blobs/${sha256("one")}`]: "one",
    [`blobs/${sha256("two")}`]: "TWO",
    [`blobs/${blobId("{}")}`]: "[]",
  });
  await bench.pull();
  const { id } = bench.server.head(REPO);
  assert.deepEqual(bench.asked().filter((line) => line.includes("/resolve/")).sort(), [
    `GET /${REPO}/resolve/${id}/config.json`,
    `GET /${REPO}/resolve/${id}/deep/er/scaler.joblib`,
  ]);
  assert.deepEqual(readFiles(bench.bot), readFiles(join(bench.repoFolder, "snapshots", id)));
  assert.equal(Deno.readTextFileSync(join(bench.repoFolder, "blobs", sha256("two"))), "two");
});

Deno.test("a release that was active before the cache was enabled is added to the cache, too", async () => {
  await using bench = new CacheBench();
  bench.server.commit(REPO, MODELS);
  await bench.pull({ cacheFolder: undefined });
  bench.asked();
  await bench.pull();
  assert.ok(bench.asked().every((line) => !line.includes("/resolve/")));
  const { id } = bench.server.head(REPO);
  assert.deepEqual(readFiles(join(bench.repoFolder, "snapshots", id)), readFiles(bench.bot));
  assert.equal((await bench.pull()).outcome, "unchanged");
  assert.equal(bench.asked().length, 1);
});

Deno.test("the cache and the store share their bytes, and each new commit gets its own snapshot", async () => {
  await using bench = new CacheBench();
  bench.server.commit(REPO, MODELS);
  await bench.pull();
  const first = bench.server.head(REPO).id;
  bench.server.commit(REPO, { "model.joblib": "newer" });
  await bench.pull();
  const second = bench.server.head(REPO).id;
  const read = (commit: string) => readFiles(join(bench.repoFolder, "snapshots", commit))["model.joblib"];
  assert.deepEqual([read(first), read(second)], ["one", "newer"]);
  assert.equal(Deno.readTextFileSync(join(bench.repoFolder, "refs/main")), second);
  const inode = (path: string) => Deno.statSync(path).ino;
  assert.equal(
    inode(join(bench.repoFolder, "blobs", sha256("newer"))),
    inode(join(bench.bot, "model.joblib")),
  );
});

Deno.test("a cache that cannot be written is a warning, and the release is activated", async () => {
  await using bench = new CacheBench();
  bench.server.commit(REPO, MODELS);
  writeFiles(bench.path, { "hf": "a file" });
  assert.equal((await bench.pull()).outcome, "activated");
  assert.match(bench.context.log.lines.join("\n"), /warn cannot fill the Hugging Face cache/);
});

Deno.test("a cache on a disk of its own without links has whole files, and a full one leaves no part of a file", async () => {
  for (const code of ["EXDEV", "ENOSPC"]) {
    await using bench = new CacheBench();
    bench.server.commit(REPO, MODELS);
    const refuse = (path: string | URL) => {
      if (String(path).startsWith(bench.cacheFolder)) throw osError(code);
    };
    const fs: FileSystem = {
      ...Deno,
      linkSync: (from, to) => {
        refuse(to);
        Deno.linkSync(from, to);
      },
      symlinkSync: (target, path, options) => {
        refuse(path);
        Deno.symlinkSync(target, path, options);
      },
    };
    const context = testContext({ fs, clock: bench.clock });
    const options = sourceOptions(bench.server, { cacheFolder: bench.cacheFolder });
    assert.equal((await pullTo(context, bench.bot, options)).outcome, "activated");
    const isFull = code === "ENOSPC";
    assert.equal(/cannot fill the Hugging Face cache/.test(context.log.lines.join("\n")), isFull);
    const snapshot = join(bench.repoFolder, "snapshots", bench.server.head(REPO).id);
    if (isFull) assert.deepEqual(readFiles(bench.repoFolder), {});
    else {
      assert.deepEqual(readFiles(snapshot), MODELS);
      assert.ok(Deno.lstatSync(join(snapshot, "model.joblib")).isFile);
    }
  }
});

Deno.test("a pull of a commit by its id writes no ref for it", async () => {
  await using bench = new CacheBench();
  const { id } = bench.server.commit(REPO, MODELS);
  await bench.pull({ hub: hubOf(bench.server, { revision: id }) });
  assert.ok(!Object.keys(readFiles(bench.repoFolder)).some((path) => path.startsWith("refs/")));
});
