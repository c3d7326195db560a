import assert from "node:assert/strict";
import { join } from "node:path";
import * as z from "zod";
import type { FileSystem } from "../../lib/core/files.ts";
import { replaceOrOverwrite } from "../../lib/core/overwrite_file.ts";
import { StateFile } from "../../lib/core/state_file.ts";
import { osError } from "../helpers/fake_fs.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** Returns the state file in a folder. */
function fileIn(dir: string, fs: FileSystem = Deno): StateFile<string[]> {
  return new StateFile(fs, join(dir, "state.json"), z.array(z.string()));
}

Deno.test("StateFile.replace() keeps the old content until the new one is written, also behind a link", () => {
  using dir = tempDir();
  Deno.writeTextFileSync(join(dir.path, "elsewhere.json"), '["old"]');
  Deno.symlinkSync("elsewhere.json", join(dir.path, "state.json"));
  const full: FileSystem = {
    ...Deno,
    openSync(path, options) {
      if (options?.write === true) throw osError("ENOSPC");
      return Deno.openSync(path, options);
    },
  };
  assert.throws(() => fileIn(dir.path, full).replace(["new"]), { code: "ENOSPC" });
  assert.deepEqual(fileIn(dir.path).read(), { kind: "found", value: ["old"] });

  fileIn(dir.path).replace(["new"]);
  assert.deepEqual(fileIn(dir.path).read(), { kind: "found", value: ["new"] });
  assert.equal(Deno.readTextFileSync(join(dir.path, "elsewhere.json")), '["old"]');
});

Deno.test("a state file whose place cannot be freed is an error that names what is there", () => {
  using dir = tempDir();
  const path = join(dir.path, "state.json");
  Deno.mkdirSync(join(path, "mine"), { recursive: true });
  const renameSync = () => {
    throw osError("EBUSY");
  };
  assert.throws(() => fileIn(dir.path, { ...Deno, renameSync }).replace(["new"]), {
    code: "STATE_FILE_BLOCKED",
    exitCode: 7,
    message: `Cannot replace ${path}: a folder is in its place (EBUSY)`,
    hint: `move ${path} away and run again`,
  });
  fileIn(dir.path).replace(["new"]);
  assert.deepEqual([...Deno.readDirSync(`${path}.damaged`)].map(({ name }) => name), ["mine"]);
});

Deno.test("a state file with a checksum is damaged by any other character, and by the loss of its end", () => {
  using dir = tempDir();
  const file = new StateFile(Deno, join(dir.path, "state.json"), z.array(z.string()), { hasChecksum: true });
  file.replace(["é", "b"]);
  assert.deepEqual(file.read(), { kind: "found", value: ["é", "b"] });
  const bytes = Deno.readFileSync(file.path);
  const damaged = { kind: "damaged", reason: "it does not match its checksum" };
  for (const at of bytes.keys()) {
    Deno.writeFileSync(file.path, bytes.with(at, (bytes[at] ?? 0) ^ 1));
    assert.deepEqual(file.read(), damaged, `byte ${at}`);
    Deno.writeFileSync(file.path, bytes.subarray(0, at));
    assert.deepEqual(file.read(), damaged, `${at} bytes`);
  }
});

Deno.test("on a full disk, a file is overwritten where it is, but never the file to which a link leads", () => {
  using dir = tempDir();
  writeFiles(dir.path, { "own.json": " ".repeat(9000), "elsewhere": " ".repeat(9000) });
  Deno.symlinkSync("elsewhere", join(dir.path, "link.json"));
  const full: FileSystem = {
    ...Deno,
    openSync: (path, options) => {
      if (String(path).endsWith(".new")) throw osError("ENOSPC");
      return Deno.openSync(path, options);
    },
  };
  replaceOrOverwrite(full, join(dir.path, "own.json"), "{}");
  assert.equal(Deno.readTextFileSync(join(dir.path, "own.json")).trim(), "{}");
  assert.throws(() => replaceOrOverwrite(full, join(dir.path, "link.json"), "{}"), { code: "ENOSPC" });
  assert.equal(Deno.readTextFileSync(join(dir.path, "elsewhere")), " ".repeat(9000));
});
