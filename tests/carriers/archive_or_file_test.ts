import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { openArchiveOrFile } from "../../lib/carriers/archive_or_file.ts";
import { ARCHIVE_LIMITS } from "../../lib/archive/archive_limits.ts";
import { rawTar, tarMember } from "../helpers/raw_tar.ts";
import { rawZip } from "../helpers/raw_zip.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const XZ = new Uint8Array([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4]);
const TEXT = new TextEncoder().encode("weights");
const TAR = rawTar(tarMember({ name: "a.onnx", content: TEXT }));

async function pathsIn(bytes: Uint8Array, fileName: string): Promise<string[]> {
  using dir = tempDir();
  Deno.writeFileSync(`${dir.path}/artifact`, bytes);
  await using contents = await openArchiveOrFile(
    testContext(),
    `${dir.path}/artifact`,
    "artifact",
    ARCHIVE_LIMITS,
    fileName,
  );
  return contents.entries.map(({ path }) => path);
}

Deno.test("an artifact is opened as an archive, or is the single file that was uploaded", async () => {
  const cases: readonly (readonly [Uint8Array, fileName: string, paths: readonly string[]])[] = [
    [rawZip([{ name: "a.onnx", content: TEXT }]), "models_latest.zip", ["a.onnx"]],
    [zstdCompressSync(TAR), "models.tar.zst", ["a.onnx"]],
    [gzipSync(TAR), "models.tgz", ["a.onnx"]],
    [TEXT, "model.onnx", ["model.onnx"]],
    [gzipSync(TEXT), "model.pkl.gz", ["model.pkl.gz"]],
    [zstdCompressSync(TEXT), "model.pkl.zst", ["model.pkl.zst"]],
    [XZ, "table.csv.xz", ["table.csv.xz"]],
    [rawZip([{ name: "data.pkl", content: TEXT }]), "model.pt", ["model.pt"]],
  ];
  for (const [bytes, fileName, paths] of cases) {
    assert.deepEqual(await pathsIn(bytes, fileName), paths, fileName);
  }
});

Deno.test("a file with an archive's name that cannot be opened is not a model", async () => {
  for (
    const name of ["models.tar.xz", "models.txz", "models.TAR.BZ2", "models.7z", "models.rar", "models.zip"]
  ) {
    await assert.rejects(
      pathsIn(XZ, name),
      { code: "ARCHIVE_FORMAT", message: /it is compressed by xz/ },
      name,
    );
  }
  await assert.rejects(pathsIn(TEXT, "models.tar"), {
    code: "ARCHIVE_FORMAT",
    message: /it begins with "weights"/,
  });
  await assert.rejects(pathsIn(gzipSync(TEXT), "models.tar.gz"), {
    code: "ARCHIVE_FORMAT",
    message: /it is gzip without a tar inside/,
  });
});
