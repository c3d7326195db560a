import assert from "node:assert/strict";
import { join } from "node:path";
import { CHUNK_BYTES_MAX, ChunkListWriter } from "../../lib/core/chunk_list.ts";
import { hashFile } from "../../lib/core/hash.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, type ReleaseFile, releaseFile } from "../../lib/release/manifest.ts";
import { HeldChunks } from "../../lib/store/held_chunks.ts";
import { installRelease, releaseDir } from "../../lib/store/releases.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { noise, tempDir } from "../helpers/temp_dir.ts";
import { recordedLog, testContext } from "../helpers/test_context.ts";

const MIB = 1024 ** 2;

/** Returns an entry whose chunks of 1 MiB have these digests. */
function listed(path: string, digests: readonly number[]): ReleaseFile {
  const list = new ChunkListWriter();
  for (const digest of digests) list.add(CHUNK_BYTES_MAX, new Uint8Array(32).fill(digest));
  return {
    path,
    size: digests.length * CHUNK_BYTES_MAX,
    sha256: digests.map((digest) => digest.toString(16).padStart(2, "0")).join("").slice(0, 64).padEnd(
      64,
      "0",
    ),
    contentChunks: list.toString(),
  };
}

/** Installs a release with these files, whose bytes are missing unless they are given. */
async function install(store: Store, sequence: number, files: readonly ReleaseFile[], bytes?: Uint8Array) {
  const origin = { carrier: "huggingface" } as const;
  const manifest = await createManifest(files, { sequence, createdAt: "2026-11-21T00:00:00Z", origin });
  const staged = join(store.staging, `run-${sequence}`);
  Deno.mkdirSync(staged);
  for (const { path } of files) if (bytes !== undefined) Deno.writeFileSync(join(staged, path), bytes);
  installRelease(store, staged, manifest.digest, formatManifest(manifest));
  return releaseDir(store, manifest.digest);
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

Deno.test("chunks are found in all installed releases, under any path, the newest first", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const older = await install(store, 1, [listed("renamed.onnx", range(0, 20))]);
  const newer = await install(store, 2, [listed("a.onnx", range(10, 30)), listed("small.onnx", [40])]);
  const held = new HeldChunks(testContext(), store);
  const wanted = listed("a.onnx", [90, 4, 5, 12, 13, 14, 91, 29, 40]);
  const [renamed, current] = [join(older, "renamed.onnx"), join(newer, "a.onnx")];
  assert.deepEqual(await held.spansOf(wanted), [
    { path: renamed, start: MIB, end: 3 * MIB, offset: 4 * MIB },
    { path: current, start: 3 * MIB, end: 6 * MIB, offset: 2 * MIB },
    { path: current, start: 7 * MIB, end: 8 * MIB, offset: 19 * MIB },
  ]);
  assert.deepEqual(await held.spansOf(listed("a.onnx", range(50, 70))), []);
});

Deno.test("a chunk that repeats is found each time", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const path = join(await install(store, 1, [listed("a.onnx", [7, ...range(20, 40)])]), "a.onnx");
  const spans = await new HeldChunks(testContext(), store).spansOf(listed("a.onnx", [7, 7, 20]));
  assert.deepEqual(spans, [
    { path, start: 0, end: MIB, offset: 0 },
    { path, start: MIB, end: 3 * MIB, offset: 0 },
  ]);
});

Deno.test("without a list of the wanted file, or with one of another format, nothing is held and no release is read", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  await install(store, 1, [listed("a.onnx", range(0, 20))]);
  Deno.removeSync(store.releases, { recursive: true });
  const held = new HeldChunks(testContext(), store);
  const { contentChunks: _, ...wanted } = listed("a.onnx", range(0, 21));
  assert.deepEqual(await held.spansOf(wanted), []);
  assert.deepEqual(await held.spansOf({ ...wanted, contentChunks: "later:x" }), []);
});

Deno.test("the file of a release that an older version published is read once to list its chunks", async () => {
  using dir = tempDir();
  const context = { ...testContext(), log: recordedLog() };
  const { log } = context;
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const [old, next] = [noise(17 * MIB, 1), noise(17 * MIB, 1)];
  next.set(noise(1000, 2), 9 * MIB);
  const hashed = async (bytes: Uint8Array) => {
    Deno.writeFileSync(join(dir.path, "file"), bytes);
    return releaseFile(
      "a.onnx",
      await hashFile(Deno, join(dir.path, "file"), { ...context, isForManifest: true }),
    );
  };
  const { contentChunks: _, ...unlisted } = await hashed(old);
  const path = join(await install(store, 1, [unlisted], old), "a.onnx");
  const wanted = await hashed(next);
  const spans = await new HeldChunks(context, store).spansOf(wanted);
  assert.deepEqual(spans.map((span) => [span.path, span.start === span.offset]), [[path, true], [
    path,
    true,
  ]]);
  assert.ok(spans.reduce((sum, { start, end }) => sum + end - start, 0) > 15 * MIB);
  assert.match(
    log.lines.join("\n"),
    /^info reading a\.onnx of release [0-9a-f]{12} \(17\.0 MiB\) to find unchanged/,
  );
  // Another path is not worth the reading.
  assert.deepEqual(await new HeldChunks(context, store).spansOf({ ...wanted, path: "b.onnx" }), []);
  Deno.removeSync(path);
  assert.deepEqual(await new HeldChunks(context, store).spansOf(wanted), []);
  assert.match(log.lines.join("\n"), /warn cannot read .*a\.onnx: /);
});
