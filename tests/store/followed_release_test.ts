import assert from "node:assert/strict";
import { sortedLines } from "../../lib/release/digest_lines.ts";
import { filesOf } from "../../lib/release/file_list.ts";
import { followManifest } from "../../lib/release/follow_manifest.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, type Manifest, readManifest } from "../../lib/release/manifest.ts";
import { findFollowed, rememberFollowed } from "../../lib/store/followed_release.ts";
import { releaseDir, writeManifest } from "../../lib/store/releases.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { memoryDir } from "../helpers/temp_dir.ts";

const details = { sequence: 1, createdAt: "2026-11-21T00:00:07Z", origin: { carrier: "git" } } as const;

async function manifestWith(digit: string): Promise<Manifest> {
  const file = (path: string, digit: string) => ({ path, size: 10, sha256: digit.repeat(64) });
  return await createManifest([file("a.npy", "a"), file("b.npy", digit)], details);
}

/** Installs two releases, and remembers the second one. */
async function remembered(dir: string): Promise<readonly [Store, Manifest, Manifest]> {
  const store = openStore(Deno, { modelsDir: `${dir}/models` });
  const releases = [await manifestWith("b"), await manifestWith("c")] as const;
  for (const manifest of releases) {
    Deno.mkdirSync(releaseDir(store, manifest.digest));
    writeManifest(store, manifest.digest, formatManifest(manifest));
  }
  const [before, active] = releases;
  const known = await findFollowed(store, before.digest);
  const text = formatManifest(active);
  const following = known && await followManifest({ bytes: new TextEncoder().encode(text), text }, known);
  assert.ok(following !== undefined);
  await rememberFollowed(store, following);
  return [store, before, active];
}

/** As the next run, which has parsed nothing yet. */
function reopened({ modelsDir }: Store): Store {
  return openStore(Deno, { modelsDir });
}

Deno.test("a remembered release is found with the lines of its digest, and any other without", async () => {
  using dir = memoryDir();
  const [store, before, active] = await remembered(dir.path);
  const found = await findFollowed(reopened(store), active.digest);
  assert.deepEqual(found?.manifest, active);
  assert.deepEqual(
    found?.lines?.change([], []),
    [await new Blob([...sortedLines(active.files)]).bytes()],
  );
  const other = await findFollowed(reopened(store), before.digest);
  assert.deepEqual([other?.manifest, other?.lines], [before, undefined]);
  assert.equal(await findFollowed(reopened(store), `sha256:${"0".repeat(64)}`), undefined);
});

Deno.test("a damaged memory of a release costs the lines, whichever byte it is, and changes nothing of the manifest", async () => {
  using dir = memoryDir();
  const [store, , active] = await remembered(dir.path);
  const path = `${store.statCache}/followed.txt`;
  const whole = Deno.readFileSync(path);
  const damages = Array.from(whole, (byte, at) => whole.with(at, byte ^ 1)).filter((_, at) =>
    at < 70 || at % 5 === 0
  );
  for (const bytes of [...damages, whole.subarray(0, -1), whole.subarray(1), new Uint8Array()]) {
    Deno.writeFileSync(path, bytes);
    const found = await findFollowed(reopened(store), active.digest);
    assert.deepEqual([found?.manifest, found?.lines], [active, undefined]);
    assert.ok(found !== undefined);
    const { count, bytes: size } = filesOf(found.manifest);
    assert.deepEqual([count, size], [2, 20]);
  }
  Deno.removeSync(path);
  Deno.mkdirSync(path);
  assert.deepEqual((await findFollowed(reopened(store), active.digest))?.manifest, active);
});

Deno.test("findFollowed() reads a damaged manifest as if nothing was remembered of it", async () => {
  using dir = memoryDir();
  const [store, , active] = await remembered(dir.path);
  const path = `${releaseDir(store, active.digest)}.json`;
  const whole = Deno.readFileSync(path);
  for (const [at, byte] of whole.entries()) {
    if (at % 3 > 0) continue;
    const damaged = whole.with(at, byte ^ 1);
    Deno.writeFileSync(path, damaged);
    const found = await findFollowed(reopened(store), active.digest);
    assert.equal(found?.lines, undefined);
    const parse = () => {
      try {
        return readManifest(new TextDecoder("utf-8", { ignoreBOM: true }).decode(damaged), "it");
      } catch {
        return undefined;
      }
    };
    const parsed = parse();
    assert.deepEqual(found?.manifest, parsed?.digest === active.digest ? parsed : undefined);
  }
});
