import assert from "node:assert/strict";
import { join } from "node:path";
import { DiskError } from "../../../lib/core/errors.ts";
import { watchKvFile } from "../../../web/store/watch_kv_file.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { type TempDir, tempDir } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";

function watched(dir: TempDir, fs: Pick<typeof Deno, "statSync"> = Deno) {
  const path = join(dir.path, "store", "kv.sqlite3");
  Deno.mkdirSync(join(dir.path, "store"));
  Deno.writeTextFileSync(path, "one");
  const clock = new FakeClock("2026-11-29T06:00:00Z");
  const stopping = new AbortController();
  const context = testContext({ clock, signal: stopping.signal, fs: { ...Deno, ...fs } });
  return { path, clock, stop: () => stopping.abort(), end: watchKvFile(context, path) };
}

/** Waits until the check that the clock has started is done. */
function lookedAgain(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

async function codeOf(end: Promise<void>): Promise<string> {
  const error = await end.then(() => undefined, (error) => error);
  assert.ok(error instanceof DiskError);
  assert.equal(error.exitCode, 7);
  return error.code;
}

Deno.test("the removal of a database's folder is noticed within a second", async () => {
  using dir = tempDir();
  const { clock, end } = watched(dir);
  clock.advance(1_000);
  Deno.removeSync(join(dir.path, "store"), { recursive: true });
  clock.advance(1_000);
  await assert.rejects(end, { message: /kv\.sqlite3"?: it was removed while the dashboard ran$/ });
});

Deno.test("a replaced database file is noticed", async () => {
  using dir = tempDir();
  const { path, clock, end } = watched(dir);
  Deno.writeTextFileSync(`${path}.new`, "one");
  Deno.renameSync(`${path}.new`, path);
  clock.advance(1_000);
  assert.equal(await codeOf(end), "DATABASE_REPLACED");
});

Deno.test("writes to the database and a disk that does not answer are no reason to stop", async () => {
  using dir = tempDir();
  let isAway = false;
  let looks = 0;
  const { path, clock, stop, end } = watched(dir, {
    statSync(path) {
      if (isAway) throw new Error("Stale file handle (os error 116)");
      looks++;
      return Deno.statSync(path);
    },
  });
  Deno.writeTextFileSync(path, "more", { append: true });
  clock.advance(1_000);
  await lookedAgain();
  assert.equal(looks, 2);
  isAway = true;
  clock.advance(1_000);
  await lookedAgain();
  stop();
  await end;
});
