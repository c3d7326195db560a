import assert from "node:assert/strict";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ArchivedModels, type DownloadedArchive } from "../../lib/carriers/archived_models.ts";
import { writeZip } from "../../lib/archive/zip_writer.ts";
import { ARCHIVE_LIMITS } from "../../lib/archive/archive_limits.ts";
import { Staging } from "../../lib/store/staging.ts";
import { openStore } from "../../lib/store/store.ts";
import { CLUTTER } from "../helpers/clutter_files.ts";
import { manifestOf as manifestText } from "../helpers/manifest_of.ts";
import { rawTar, tarMember } from "../helpers/raw_tar.ts";
import { rawZip } from "../helpers/raw_zip.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

type Files = Readonly<Record<string, string>>;

/** Writes each set of files into an archive, opens them as one release and extracts it. */
async function extract(sets: readonly Files[], subdir?: string) {
  using dir = tempDir();
  const context = testContext();
  const archives = await Promise.all(sets.map(async (files, index) => {
    const name = `archive ${index + 1}`;
    const root = join(dir.path, String(index));
    writeFiles(root, files);
    const path = `${root}.zip`;
    await writeZip(
      context,
      path,
      Object.keys(files).map((file) => ({ path: file, location: join(root, file) })),
    );
    return { path, name };
  }));
  return await stageAll(dir.path, archives, subdir);
}

/** As {@link extract}, of archives that are in memory. */
async function extractBytes(archives: readonly Uint8Array[], subdir?: string) {
  using dir = tempDir();
  const brought = archives.map((bytes, index) => {
    const path = join(dir.path, `archive${index}`);
    Deno.writeFileSync(path, bytes);
    return { path, name: `archive ${index + 1}` };
  });
  return await stageAll(dir.path, brought, subdir);
}

async function stageAll(root: string, archives: readonly DownloadedArchive[], subdir: string | undefined) {
  const context = testContext();
  const store = openStore(Deno, { modelsDir: join(root, "bot/models") });
  await using models = await ArchivedModels.open(context, archives, { limits: ARCHIVE_LIMITS, subdir });
  await using staging = new Staging(context, store, "run");
  const offer = models.offer({ id: "1", source: "test" }, 7);
  await models.stage(staging);
  return { files: readFiles(staging.dir), offer, log: context.log };
}

function manifestOf(files: Files, folder?: string): Promise<string> {
  return manifestText(files, { carrier: "runpod", ...(folder === undefined ? {} : { folder }) });
}

const MODELS = { "BTC/rf.onnx": "one", "BTC/metadata.json": "{}" };
const below = (folder: string, files: Files): Files =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [`${folder}/${path}`, text]));

Deno.test("ArchivedModels finds the models like the original scripts: in the folder, in the folder inside the only top folder, in that one, in the whole archive", async () => {
  const apart = { "README.txt": "not a model", "__MACOSX/._x": "junk" };
  assert.deepEqual(
    (await extract([{ ...below("models", MODELS), ...apart }], "models")).files,
    sorted(MODELS),
  );
  assert.deepEqual((await extract([below("out/models", MODELS)], "models")).files, sorted(MODELS));
  const withJunk = { ...below("out", MODELS), "__MACOSX/._x": "junk" };
  assert.deepEqual((await extract([withJunk], "models")).files, sorted(MODELS));
  for (const subdir of ["models", undefined]) {
    const flat = { ...MODELS, "x.onnx": "x" };
    assert.deepEqual((await extract([flat], subdir)).files, sorted(flat));
  }
});

Deno.test("ArchivedModels reads the manifest beside the models, and does not put it into the release", async () => {
  const manifest = await manifestOf(MODELS, "models");
  for (
    const [files, subdir] of [
      [{ ...below("models", MODELS), "model-sync.json": manifest }, "models"],
      [below("job-12", { ...below("models", MODELS), "model-sync.json": manifest }), "models"],
      [{ ...below("models", MODELS), "model-sync.json": manifest }, undefined],
      [{ ...MODELS, "model-sync.json": manifest }, undefined],
    ] as const
  ) {
    const { files: extracted, offer } = await extract([files], subdir);
    assert.deepEqual(extracted, sorted(MODELS));
    assert.equal(offer.claim?.manifest.sequence, 3);
    assert.equal(offer.claim?.text, manifest);
  }
});

Deno.test("ArchivedModels without a manifest is ordered by the carrier's sequence", async () => {
  const { offer } = await extract([MODELS]);
  assert.deepEqual([offer.claim, offer.sequence], [undefined, 7]);
  assert.deepEqual(offer.files.map(({ path, size }) => [path, size]), [["BTC/metadata.json", 2], [
    "BTC/rf.onnx",
    3,
  ]]);
});

Deno.test("ArchivedModels merges archives at their roots, and refuses one path with two contents", async () => {
  const shared = { "shared.json": "{}" };
  const { files } = await extract([{ ...MODELS, ...shared }, { "ETH/rf.onnx": "two", ...shared }]);
  assert.deepEqual(files, sorted({ ...MODELS, ...shared, "ETH/rf.onnx": "two" }));
  await assert.rejects(extract([{ ...MODELS, ...shared }, { "shared.json": "[]" }]), {
    code: "ARCHIVES_CONFLICT",
    exitCode: 5,
  });
  await assert.rejects(extract([MODELS, { "btc/RF.onnx": "case" }]), { code: "ARCHIVE_UNSAFE", exitCode: 5 });
});

Deno.test("ArchivedModels accepts the same manifest in two archives with any of its signatures, and refuses two manifests", async () => {
  const manifest = await manifestOf(MODELS);
  const half = (path: keyof typeof MODELS, more: Files) => ({
    [path]: MODELS[path],
    "model-sync.json": manifest,
    ...more,
  });
  for (
    const [first, second, kept] of [
      ["one", "two", "one"],
      [undefined, "two", "two"],
      ["one", undefined, "one"],
    ] as const
  ) {
    const signed = (text: string | undefined): Files => text === undefined ? {} : { "model.sig": text };
    const { files, offer } = await extract([
      half("BTC/rf.onnx", signed(first)),
      half("BTC/metadata.json", signed(second)),
    ]);
    assert.deepEqual(files, sorted(MODELS));
    assert.deepEqual([offer.claim?.text, offer.claim?.signature], [manifest, kept]);
  }
  const other = await manifestOf({ "BTC/rf.onnx": "one" });
  await assert.rejects(
    extract([half("BTC/rf.onnx", {}), half("BTC/metadata.json", { "model-sync.json": other })]),
    { code: "ARCHIVES_CONFLICT", message: /model-sync\.json of archive 2 differs/ },
  );
});

Deno.test("ArchivedModels stages a hard link of a tar as another file, whichever part of it belongs to the release", async () => {
  const link = (name: string, linkName: string) => tarMember({ name, linkName, type: "1" });
  const whole = rawTar(
    tarMember({ name: "v1/rf.onnx", content: "one" }),
    link("models/rf.onnx", "v1/rf.onnx"),
    link("models/latest.onnx", "models/rf.onnx"),
    tarMember({ name: "models/x.onnx", content: "x" }),
  );
  const part = rawTar(
    tarMember({ name: "models/y.onnx", content: "one" }),
    link("models/rf.onnx", "models/y.onnx"),
    link("models/z.onnx", "models/y.onnx"),
  );
  const models = { "latest.onnx": "one", "rf.onnx": "one", "x.onnx": "x" };
  for (
    const [tars, files] of [[[whole], models], [[whole, part], {
      ...models,
      "y.onnx": "one",
      "z.onnx": "one",
    }]] as const
  ) {
    for (const pack of [(tar: Uint8Array) => tar, gzipSync]) {
      assert.deepEqual((await extractBytes(tars.map((tar) => pack(tar)), "models")).files, sorted(files));
    }
  }
  const other = rawTar(
    tarMember({ name: "models/y.onnx", content: "two" }),
    link("models/rf.onnx", "models/y.onnx"),
  );
  await assert.rejects(extractBytes([whole, other], "models"), {
    code: "ARCHIVES_CONFLICT",
    message: /rf\.onnx has SHA-256/,
  });
});

Deno.test("ArchivedModels leaves out housekeeping files, like every other carrier", async () => {
  const clutter = { ...below("models", CLUTTER), "Thumbs.db": "junk", "__MACOSX/models/._BTC": "junk" };
  const { files } = await extract([{ ...below("models", MODELS), ...clutter }], "models");
  assert.deepEqual(files, sorted(MODELS));
  assert.deepEqual(
    (await extract([{ ...below("out", MODELS), ...clutter }], "models")).files,
    sorted(MODELS),
  );
  for (const subdir of ["models", undefined]) {
    await assert.rejects(extract([clutter], subdir), { code: "ARCHIVE_EMPTY", exitCode: 5 });
  }
});

Deno.test("ArchivedModels keeps housekeeping files that the manifest lists, and the log names the others", async () => {
  const listed = { ...MODELS, "._rf.onnx": "listed", "__pycache__/f.pyc": "listed" };
  const archive = {
    ...below("models", { ...listed, "BTC/._x": "junk" }),
    "model-sync.json": await manifestOf(listed, "models"),
  };
  const { files, log } = await extract([archive], "models");
  assert.deepEqual(files, sorted(listed));
  assert.deepEqual(log.lines, [
    'debug left housekeeping files of archive 1 out of the release: "models/BTC/._x"',
  ]);
});

Deno.test("ArchivedModels does not use files beside an empty models folder", async () => {
  for (const top of ["", "job-12/"]) {
    const zip = rawZip([{ name: `${top}models/`, central: { mode: 0o040755 } }, {
      name: `${top}train.log`,
      content: "the training made nothing",
    }]);
    using dir = tempDir();
    const path = join(dir.path, "archive");
    Deno.writeFileSync(path, zip);
    const options = { limits: ARCHIVE_LIMITS, subdir: "models" };
    await assert.rejects(
      ArchivedModels.open(testContext(), [{ path, name: "the archive" }], options),
      { code: "ARCHIVE_EMPTY", exitCode: 5 },
    );
  }
});

Deno.test("ArchivedModels refuses an archive without models, and an invalid manifest", async () => {
  await assert.rejects(extract([{ "__MACOSX/._x": "junk" }], "models"), {
    code: "ARCHIVE_EMPTY",
    exitCode: 5,
  });
  await assert.rejects(extract([{ ...MODELS, "model-sync.json": "{}" }]), {
    code: "MANIFEST_INVALID",
    exitCode: 5,
  });
});

function sorted(files: Files): Files {
  return Object.fromEntries(Object.entries(files).sort(([a], [b]) => a < b ? -1 : 1));
}
