import assert from "node:assert/strict";
import { join } from "node:path";
import type { FileSystem } from "../../lib/core/files.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, type Manifest } from "../../lib/release/manifest.ts";
import {
  findRelease,
  listReleaseHeads,
  listReleases,
  releaseDir,
  writeManifest,
} from "../../lib/store/releases.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { machine, newTrainer, publishFiles, pullTo, registryOf, storeOf } from "../helpers/machines.ts";
import { memoryDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

/** The real file system, which reports what is opened, examined and linked. */
function watchedFs(onCall: (call: string, path: string) => void): FileSystem {
  const watched = <Args extends [string | URL, ...unknown[]], Result>(
    name: string,
    call: (...args: Args) => Result,
  ) =>
  (...args: Args): Result => {
    onCall(name, String(args[0]));
    return call(...args);
  };
  return {
    ...Deno,
    linkSync: watched("link", Deno.linkSync),
    lstatSync: watched("stat", Deno.lstatSync),
    statSync: watched("stat", Deno.statSync),
    open: watched("open", Deno.open),
    openSync: watched("open", Deno.openSync),
  };
}

async function addRelease(store: Store, sequence: number, format: (manifest: Manifest) => string) {
  const manifest = await createManifest([{ path: "a.bin", size: sequence, sha256: "a".repeat(64) }], {
    sequence,
    createdAt: "2026-01-01T00:00:00Z",
    origin: { carrier: "local" },
  });
  Deno.mkdirSync(releaseDir(store, manifest.digest), { recursive: true });
  writeManifest(store, manifest.digest, format(manifest));
  return manifest.digest;
}

Deno.test("the heads of manifests are those of the whole manifests, however they are written", async () => {
  using dir = memoryDir();
  const read: string[] = [];
  const fs = watchedFs((call, path) => void (call === "open" && path.endsWith(".json") && read.push(path)));
  const store = openStore(fs, { modelsDir: join(dir.path, "models") });
  const at = "2026-01-01T00:00:00Z";
  const withdrawals = Array.from({ length: 60 }, (_, index) => ({
    digest: `sha256:${String(index).padStart(64, "0")}` as const,
    state: "withdrawn",
    at,
  }));
  const texts: ((manifest: Manifest) => string)[] = [
    formatManifest,
    (manifest) => JSON.stringify(manifest),
    (manifest) => formatManifest({ ...manifest, withdrawals }),
    (manifest) => formatManifest(manifest).replace('"sequence": 4', '"sequence": "4"'),
    (manifest) => formatManifest(manifest).slice(0, -4),
    (manifest) => formatManifest({ ...manifest, digest: `sha256:${"b".repeat(64)}` }),
  ];
  for (const [index, format] of texts.entries()) await addRelease(store, index + 1, format);
  const heads = listReleaseHeads(store);
  assert.deepEqual(heads.map(({ sequence }) => sequence), [3, 2, 1]);
  const brief = ({ digest, sequence, createdAt }: Manifest) => ({ digest, sequence, createdAt });
  assert.deepEqual(
    heads.map(({ digest, sequence, createdAt }) => ({ digest, sequence, createdAt })),
    listReleases(store).map(({ manifest }) => brief(manifest)),
  );
});

Deno.test("a manifest is read once while its file is the same, and at most two are kept", async () => {
  using dir = memoryDir();
  let reads = 0;
  const fs = watchedFs((call, path) => void (call === "open" && path.endsWith(".json") && reads++));
  const store = openStore(fs, { modelsDir: join(dir.path, "models") });
  const [one, two, three] = [
    await addRelease(store, 1, formatManifest),
    await addRelease(store, 2, formatManifest),
    await addRelease(store, 3, formatManifest),
  ];
  const readsOf = (digest: typeof one) => {
    reads = 0;
    assert.equal(findRelease(store, digest)?.manifest.digest, digest);
    return reads;
  };
  assert.deepEqual([one, one, two, two, one, three, two, one].map(readsOf), [1, 0, 1, 0, 0, 1, 0, 1]);
  const text = findRelease(store, three)?.text ?? "";
  writeManifest(store, three, text.replace('"sequence": 3', '"sequence": 4'));
  assert.equal(findRelease(store, three)?.manifest.sequence, 4);
  Deno.writeTextFileSync(`${releaseDir(store, three)}.json`, "{}");
  assert.equal(findRelease(store, three), undefined);
});

Deno.test("a pull after one change examines and links each other file once, and reads each manifest once", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const files = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [`d/${index}.bin`, `weights ${index}`]),
  );
  await publishFiles(trainer, files);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await pullTo(testContext(), bot);
  await publishFiles(trainer, { ...files, "d/7.bin": "others" });
  await pullTo(testContext(), bot);
  await publishFiles(trainer, { ...files, "d/7.bin": "third" });
  const calls = new Map<string, number>();
  const fs = watchedFs((call, path) => {
    const what = /[^/]+\.json$/.exec(path)?.[0] ?? path.slice(path.lastIndexOf("/") + 1);
    calls.set(`${call} ${what}`, (calls.get(`${call} ${what}`) ?? 0) + 1);
  });
  const context = testContext({ fs });
  const { release } = await pullTo(context, bot);
  // The first file is also examined as consumers see it, and a written file is opened again for its sync.
  for (let index = 1; index < 40; index++) {
    const counts = ["stat", "link", "open"].map((call) => calls.get(`${call} ${index}.bin`) ?? 0);
    assert.deepEqual(counts, index === 7 ? [1, 0, 2] : [1, 1, 0], `${index}.bin`);
  }
  for (const [call, count] of calls) {
    if (/^open [0-9a-f]{64}\.json$/.test(call)) assert.equal(count, 1, call);
  }
  const store = storeOf(context, bot);
  assert.equal(listReleases(store)[0]?.manifest.digest, release);
});
