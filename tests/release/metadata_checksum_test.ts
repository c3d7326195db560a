import assert from "node:assert/strict";
import { join } from "node:path";
import { hashFile } from "../../lib/core/hash.ts";
import { findWrongChecksum, refuseWrongChecksums } from "../../lib/release/metadata_checksum.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

const MODEL = "a model";
const MODEL_SHA256 = "97ff8a35544dcf40ad84047074439dd6aa3a0be469ea578a1b1c017d939ec61c";

async function check(files: Readonly<Record<string, string>>): Promise<void> {
  using dir = tempDir();
  writeFiles(dir.path, files);
  const signal = new AbortController().signal;
  const measured = await Promise.all(
    Object.keys(files).map(async (path) => ({
      path,
      ...await hashFile(Deno, join(dir.path, path), { signal }),
    })),
  );
  refuseWrongChecksums(Deno, dir.path, measured);
}

const claiming = (checksum: unknown) => JSON.stringify({ model_type: "HMM", sha256_checksum: checksum });

Deno.test("a metadata.json is accepted if a file beside it has its checksum, in any spelling", async () => {
  for (
    const checksum of [
      MODEL_SHA256,
      MODEL_SHA256.toUpperCase(),
      `sha256:${MODEL_SHA256}`,
      ` ${MODEL_SHA256}\n`,
    ]
  ) {
    await check({ "a/metadata.json": claiming(checksum), "a/hmm.pkl": MODEL, "a/hmm.pth": "another" });
  }
  await check({ "metadata.json": claiming(MODEL_SHA256), "hmm.pkl": MODEL });
});

Deno.test("a metadata.json is refused if no file beside it has its checksum, even if a file elsewhere has", async () => {
  const wrong = { "a/metadata.json": claiming(MODEL_SHA256), "a/hmm.pkl": "another", "b/hmm.pkl": MODEL };
  await assert.rejects(check(wrong), (error) => {
    assert.match(
      String(error),
      new RegExp(`a/metadata\\.json.*${MODEL_SHA256}.*a/hmm\\.pkl has SHA-256 [0-9a-f]{64}`),
    );
    assert.doesNotMatch(String(error), /b\/hmm\.pkl/);
    return true;
  });
  const code = { code: "CHECKSUM_MISMATCH", exitCode: 5 };
  await assert.rejects(check({ "a/metadata.json": claiming("not a checksum"), "a/hmm.pkl": MODEL }), code);
});

Deno.test("a metadata.json without a checksum, or without files beside it, is ignored", async () => {
  for (const text of ["{}", claiming(null), claiming(""), claiming(7), "not JSON", "[1, 2]"]) {
    await check({ "a/metadata.json": text, "a/hmm.pkl": MODEL });
  }
  await check({ "a/metadata.json": claiming(MODEL_SHA256), "b/hmm.pkl": "another" });
  await check({ "a/other.json": claiming("wrong"), "a/hmm.pkl": MODEL });
});

Deno.test("a metadata.json of more than 4 MiB is data of another kind, and is ignored", () => {
  using dir = tempDir();
  writeFiles(dir.path, { "metadata.json": claiming(MODEL_SHA256) });
  const isWrong = (bytes: number) =>
    findWrongChecksum(Deno, dir.path, [
      { path: "metadata.json", bytes, sha256: "a".repeat(64) },
      { path: "hmm.pkl", bytes: 1, sha256: "b".repeat(64) },
    ]) !== undefined;
  assert.deepEqual([isWrong(4 * 1024 * 1024), isWrong(4 * 1024 * 1024 + 1)], [true, false]);
});
