import assert from "node:assert/strict";
import { join } from "node:path";
import type { FileSystem } from "../../lib/core/files.ts";
import { readPointer, setPointers } from "../../lib/store/pointers.ts";
import { openStore } from "../../lib/store/store.ts";
import { findWithdrawal, learnWithdrawals, overrideWithdrawal } from "../../lib/store/withdrawals.ts";
import { osError } from "../helpers/fake_fs.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const [ONE, TWO] = [`sha256:${"1".repeat(64)}`, `sha256:${"2".repeat(64)}`] as const;

/** A file system that records renames, and may refuse a link. */
function pointerFs(renamed: string[], refuses: (path: string) => boolean): FileSystem {
  return {
    ...Deno,
    renameSync(from, to) {
      renamed.push(String(to).split("/").at(-1) ?? "");
      Deno.renameSync(from, to);
    },
    symlinkSync(target, path, options) {
      if (refuses(String(path))) throw osError("EPERM");
      Deno.symlinkSync(target, path, options);
    },
  };
}

Deno.test("pointers move in the order previous, current, and none moves if the system refuses one of the links", () => {
  using dir = tempDir();
  const renamed: string[] = [];
  let refused = "none";
  const fs = pointerFs(renamed, (path) => path.includes(`${refused}.new`));
  const store = openStore(fs, { modelsDir: join(dir.path, "models") });
  const pointers = () => [readPointer(store, "previous"), readPointer(store, "current")];
  setPointers(store, { current: ONE }, "symlink");
  renamed.length = 0;
  refused = "current";
  assert.throws(() => setPointers(store, { previous: ONE, current: TWO }, "symlink"), {
    code: "LINK_REFUSED",
    exitCode: 7,
  });
  assert.deepEqual([renamed, pointers()], [[], [undefined, ONE]]);
  refused = "none";
  setPointers(store, { previous: ONE, current: TWO }, "symlink");
  assert.deepEqual([renamed, pointers()], [["previous", "current"], [ONE, TWO]]);
});

Deno.test("where the system refuses links, a pointer of mirror mode is a file", () => {
  using dir = tempDir();
  const store = openStore(pointerFs([], () => true), { modelsDir: join(dir.path, "models") });
  setPointers(store, { current: ONE }, "mirror");
  setPointers(store, { previous: ONE, current: TWO }, "mirror");
  assert.deepEqual([readPointer(store, "previous"), readPointer(store, "current")], [ONE, TWO]);
  assert.equal(Deno.lstatSync(join(store.root, "current")).isFile, true);
});

Deno.test("a withdrawal that an operator overrides counts again after the publisher's next change", () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const withdrawn = { digest: ONE, state: "withdrawn", at: "2026-01-01T00:00:00Z" };
  assert.deepEqual(learnWithdrawals(store, [withdrawn]), [withdrawn]);
  overrideWithdrawal(store, ONE);
  assert.deepEqual([learnWithdrawals(store, [withdrawn]), findWithdrawal(store, ONE)], [[], undefined]);
  const again = { ...withdrawn, at: "2026-01-02T00:00:00Z" };
  learnWithdrawals(store, [again]);
  assert.deepEqual(findWithdrawal(store, ONE), again);
});
