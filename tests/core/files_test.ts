import assert from "node:assert/strict";
import { join } from "node:path";
import { removeTree } from "../../lib/core/files.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

Deno.test("removeTree() removes read-only folders, even for users other than root", async () => {
  using dir = tempDir();
  const root = join(dir.path, "staging");
  writeFiles(root, { "a": "a", "deep/deeper/b": "b" });
  for (const path of ["deep/deeper", "deep", ""]) Deno.chmodSync(join(root, path), 0o555);
  // Tests may run as a superuser: what the system would say to others is said here.
  let isLocked = true;
  const opened: string[] = [];
  await removeTree({
    ...Deno,
    chmodSync(path, mode) {
      Deno.chmodSync(path, mode);
      opened.push(String(path));
      isLocked = opened.length < 3;
    },
    remove: (path, options) =>
      isLocked
        ? Promise.reject(new Deno.errors.PermissionDenied("Permission denied"))
        : Deno.remove(path, options),
  }, root);
  assert.deepEqual(opened, ["", "deep", "deep/deeper"].map((path) => join(root, path)));
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
  await removeTree(Deno, root);
});

Deno.test("removeTree() reports other denied paths", async () => {
  using dir = tempDir();
  const denied = () => Promise.reject(new Deno.errors.PermissionDenied("Permission denied"));
  await assert.rejects(removeTree({ ...Deno, remove: denied }, dir.path), Deno.errors.PermissionDenied);
});

Deno.test("removeTree() removes what a program of a killed run still creates in the folder", async () => {
  using dir = tempDir();
  const root = join(dir.path, "staging");
  writeFiles(root, { "a": "a" });
  let attempts = 0;
  const remove: typeof Deno.remove = async (path, options) => {
    if (attempts++ === 1) return await Deno.remove(path, options);
    throw Object.assign(new Error("Directory not empty (os error 39)"), { code: "ENOTEMPTY" });
  };
  await removeTree({ ...Deno, remove }, root);
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
  attempts = 2; // No attempt succeeds any more.
  await assert.rejects(removeTree({ ...Deno, remove }, root), { code: "ENOTEMPTY" });
});
