import assert from "node:assert/strict";
import * as z from "zod";
import { BACKUP_KEYS } from "../../lib/config/sections/reload.ts";
import { backupActive } from "../../lib/reload/backup_active.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { releaseOf, reloadContext } from "../helpers/reload_world.ts";
import { readFiles, writeFiles } from "../helpers/temp_dir.ts";

const folders = (root: string) =>
  Array.from(Deno.readDirSync(root)).filter((entry) => entry.isDirectory).map(({ name }) => name).sort();

Deno.test("a backup is the whole release in a folder named by the time", async () => {
  using release = releaseOf({ "btc/model.onnx": "b", "a.json": "{}" });
  const context = reloadContext();
  const backupDir = `${release.path}/backup`;
  const path = await backupActive(context, { ...release.news, backupDir, keep: 5 });
  assert.equal(path, `${backupDir}/20261121_060000`);
  assert.deepEqual(readFiles(path), readFiles(release.news.releaseDir));
  assert.deepEqual(context.log.lines, [`info [MODEL-RELOAD] Backup created: ${path}`]);
});

Deno.test("two backups of one second have different names, and the oldest of too many is removed", async () => {
  using release = releaseOf({ "a.onnx": "a" });
  const context = reloadContext();
  const backupDir = `${release.path}/backup`;
  writeFiles(backupDir, { "20200101_000000/mine": "x", "notes/x": "x" });
  for (let count = 0; count < 4; count++) {
    await backupActive(context, { ...release.news, backupDir, keep: 2 });
    if (count === 2) context.clock.advance(1_000);
  }
  assert.deepEqual(folders(backupDir), ["20200101_000000", "20261121_060000_3", "20261121_060001", "notes"]);
});

Deno.test("a hundredth backup of one second is refused, because the clock stands still", async () => {
  using release = releaseOf({ "a.onnx": "a" });
  const backupDir = `${release.path}/backup`;
  for (let count = 1; count <= 99; count++) {
    Deno.mkdirSync(`${backupDir}/20261121_060000${count === 1 ? "" : `_${count}`}`, { recursive: true });
  }
  await assert.rejects(backupActive(reloadContext(), { ...release.news, backupDir, keep: 5 }), {
    code: "BACKUPS_EXHAUSTED",
    exitCode: 2,
    hint: /clock/,
  });
  assert.equal(folders(backupDir).length, 99);
});

Deno.test("a backup folder inside the model folder is refused", async () => {
  using release = releaseOf({ "a.onnx": "a" });
  for (const backupDir of [`${release.news.modelsDir}/backup`, release.news.modelsDir]) {
    await assert.rejects(backupActive(reloadContext(), { ...release.news, backupDir, keep: 5 }), {
      code: "BACKUP_IN_MODELS",
      exitCode: 2,
    });
  }
  await backupActive(reloadContext(), {
    ...release.news,
    backupDir: `${release.news.modelsDir}_backup`,
    keep: 5,
  });
  assert.deepEqual(readFiles(release.news.releaseDir), { "a.onnx": "a" });
});

Deno.test("a backup_dir that is a file, or lies below one, is refused, and the file stays", async () => {
  using release = releaseOf({ "a.onnx": "a" });
  const file = `${release.path}/notes`;
  Deno.writeTextFileSync(file, "mine");
  for (const backupDir of [file, `${file}/backup`]) {
    await assert.rejects(backupActive(reloadContext(), { ...release.news, backupDir, keep: 5 }), {
      code: "FOLDER_NOT_WRITABLE",
      exitCode: 7,
    }, backupDir);
  }
  assert.equal(Deno.readTextFileSync(file), "mine");
});

Deno.test("a folder that is not writable is named in the error, and no files are left", async () => {
  using release = releaseOf({ "a.onnx": "a" });
  const backupDir = `${release.path}/backup`;
  const fs = countingFs((step) => {
    if (step.startsWith("rename") && step.includes("20261121")) throw new Deno.errors.PermissionDenied("no");
  });
  const context = { ...reloadContext(), fs };
  await assert.rejects(backupActive(context, { ...release.news, backupDir, keep: 5 }), {
    code: "FOLDER_NOT_WRITABLE",
    exitCode: 7,
  });
  assert.deepEqual(folders(backupDir), []);
});

Deno.test("backups are off without a folder, and five stay by default", () => {
  assert.deepEqual(z.strictObject(BACKUP_KEYS).parse({}), { keep: 5 });
});
