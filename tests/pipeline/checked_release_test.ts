import assert from "node:assert/strict";
import { join } from "node:path";
import { VerifiedRelease } from "../../lib/pipeline/checked_release.ts";
import { refuseUnwanted } from "../../lib/pipeline/check_offer.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, type ReleaseFile } from "../../lib/release/manifest.ts";
import { addQuarantine } from "../../lib/store/quarantine.ts";
import { Staging } from "../../lib/store/staging.ts";
import { openStore } from "../../lib/store/store.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const OF_GIT = { createdAt: "2026-11-21T00:00:00Z", origin: { carrier: "git" } } as const;
const SHA = "ab".repeat(32);
const ALLOW_NOTHING = { allowDowngrade: false, force: false };

function oneFile(sequence: number, sha256 = SHA) {
  return createManifest([{ path: "a.onnx", size: 3, sha256 }], { ...OF_GIT, sequence });
}

Deno.test("staged files are a release only if each has the path, the size and the digest of its manifest", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  await using staging = new Staging(testContext(), store, "run");
  const staged = await staging.write("a.onnx", [new TextEncoder().encode("weights")]);
  const file: ReleaseFile = { path: "a.onnx", size: 7, sha256: staged.sha256 };
  const verify = async (files: readonly ReleaseFile[]) => {
    const manifest = await createManifest(files, { ...OF_GIT, sequence: 1 });
    return VerifiedRelease.ofStaged(staging, { manifest, text: formatManifest(manifest) });
  };
  assert.deepEqual((await verify([file])).manifest.files, [file]);
  const refused: readonly (readonly [ReleaseFile[], RegExp])[] = [
    [[{ ...file, size: 8 }], /: a\.onnx is 7 bytes, manifest says 8$/],
    [[{ ...file, sha256: SHA }], /: a\.onnx has SHA-256 [0-9a-f]{64}, manifest says (?:ab){32}$/],
    [[file, { ...file, path: "b.onnx" }], /: b\.onnx is missing, manifest lists it$/],
  ];
  for (const [files, message] of refused) {
    await assert.rejects(verify(files), { code: "DIGEST_MISMATCH", exitCode: 5, message });
  }
  await staging.write("extra.onnx", []);
  await assert.rejects(verify([file]), { message: /: extra\.onnx is there, manifest does not list it$/ });
});

Deno.test("a pull accepts the sequence of the active release, and refuses every lower one, also below a rolled-back release", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const active = await oneFile(5);
  const other = (sequence: number) => oneFile(sequence, "cd".repeat(32));
  const downgrade = { code: "DOWNGRADE", exitCode: 5 };
  refuseUnwanted(store, await other(5), active, ALLOW_NOTHING);
  refuseUnwanted(store, await other(1), undefined, ALLOW_NOTHING);
  refuseUnwanted(store, await other(4), active, { ...ALLOW_NOTHING, allowDowngrade: true });
  const older = await other(4);
  assert.throws(() => refuseUnwanted(store, older, active, ALLOW_NOTHING), {
    ...downgrade,
    message: /sequence 4 is lower than 5, of the active release$/,
  });
  const unnumbered = await other(0);
  assert.throws(() => refuseUnwanted(store, unnumbered, active, ALLOW_NOTHING), {
    ...downgrade,
    message: /, of the active release; or the registry lost its model-sync\.json$/,
  });

  const left = await oneFile(9, "ef".repeat(32));
  addQuarantine(store, { digest: left.digest, sequence: 9, reason: "bad", at: "2026-11-21", wasLeft: true });
  const between = await other(8);
  assert.throws(() => refuseUnwanted(store, between, active, ALLOW_NOTHING), {
    ...downgrade,
    message: /sequence 8 is lower than 9, of a release that was rolled back/,
  });
  refuseUnwanted(store, await other(9), active, ALLOW_NOTHING);
  refuseUnwanted(store, active, active, ALLOW_NOTHING);
  assert.throws(() => refuseUnwanted(store, left, active, ALLOW_NOTHING), { code: "QUARANTINED" });
  refuseUnwanted(store, left, active, { ...ALLOW_NOTHING, force: true });
  refuseUnwanted(store, { ...left, sequence: 10 }, active, ALLOW_NOTHING);
});
