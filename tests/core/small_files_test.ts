import assert from "node:assert/strict";
import { join } from "node:path";
import { findText, findUtf8, UnusableFileError } from "../../lib/core/files.ts";
import { replaceFile } from "../../lib/core/replace_file.ts";
import { damage, withoutPipes } from "../helpers/damage.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const FS = withoutPipes(Deno);

function reasonOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof UnusableFileError);
    return error.reason;
  }
  return "none";
}

Deno.test("findText() opens only regular files, and names the kind of anything else", () => {
  using dir = tempDir();
  const path = join(dir.path, "state.json");
  assert.equal(findText(FS, path), undefined);
  const reasons: Readonly<Record<string, string>> = {
    "a folder": "it is a folder, not a file",
    "a named pipe": "it is a named pipe, not a file",
    "a link to itself": "it is a link that leads in a circle",
    "huge": "it has 700.0 MiB, at most 64.0 MiB are read",
    "a dangling link": "none",
  };
  for (const [kind, reason] of Object.entries(reasons)) {
    damage(path, kind);
    assert.equal(reasonOf(() => findText(FS, path)), reason, kind);
  }
  Deno.removeSync(path);
  Deno.symlinkSync("/dev/zero", path);
  assert.equal(reasonOf(() => findText(FS, path)), "it is a device, not a file");
  assert.equal(findText(FS, join(path, "below")), undefined);
});

Deno.test("findText() reads the null device as an empty file, and a file without a size to its end", () => {
  assert.equal(findText(FS, "/dev/null"), "");
  if (Deno.build.os !== "linux") return;
  const status = findText(FS, "/proc/self/status") ?? "";
  assert.match(status, /^Name:/);
  assert.match(status, /nonvoluntary_ctxt_switches:\s+\d+\n$/);
});

Deno.test("findText() reads a file of exactly the limit and refuses one byte more", () => {
  using dir = tempDir();
  const path = join(dir.path, "a");
  Deno.writeTextFileSync(path, "x".repeat(10));
  assert.equal(findText(FS, path, 10)?.length, 10);
  assert.equal(reasonOf(() => findText(FS, path, 9)), "it has 10 bytes, at most 9 bytes are read");
});

Deno.test("findUtf8() refuses a file in another encoding than UTF-8", () => {
  using dir = tempDir();
  const path = join(dir.path, "bot.yaml");
  for (const bytes of [[0xff, 0xfe, 0x61, 0x00], [0x61, 0x00], [0xe4, 0x62]]) {
    Deno.writeFileSync(path, Uint8Array.from(bytes));
    assert.equal(reasonOf(() => findUtf8(FS, path, 100)), "it is not text in UTF-8");
  }
  Deno.writeTextFileSync(path, "ä");
  assert.equal(findUtf8(FS, path, 100), "ä");
});

Deno.test("replaceFile() writes a long text in pieces, and cuts no character in two", () => {
  using dir = tempDir();
  const path = join(dir.path, "text");
  // At each offset, a piece ends in the middle of another character.
  for (const before of ["", "a", "ab", "é€"]) {
    const text = before + "é€🙂".repeat(100_000);
    const sizes: number[] = [];
    const openSync = (...args: Parameters<typeof FS.openSync>) => {
      const file = FS.openSync(...args);
      const writeSync = file.writeSync.bind(file);
      file.writeSync = (bytes) => sizes.push(bytes.length) && writeSync(bytes);
      return file;
    };
    replaceFile({ ...FS, openSync }, path, text);
    assert.equal(Deno.readTextFileSync(path), text);
    assert.ok(Math.max(...sizes) < 400_000, `${Math.max(...sizes)} bytes at once`);
  }
});

Deno.test("replaceFile() follows no link and waits for no pipe at the path of its scratch file", () => {
  using dir = tempDir();
  const [path, other] = [join(dir.path, "state.json"), join(dir.path, "other")];
  Deno.writeTextFileSync(other, "untouched");
  Deno.symlinkSync(other, `${path}.new`);
  replaceFile(FS, path, "1");
  damage(`${path}.new`, "a named pipe");
  replaceFile(FS, path, "2");
  assert.equal(Deno.readTextFileSync(path), "2");
  assert.equal(Deno.readTextFileSync(other), "untouched");
});
