import assert from "node:assert/strict";
import { join } from "node:path";
import { startCli } from "../helpers/start_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";

Deno.test("a dashboard whose store is removed exits with 7 and says why", async () => {
  using dir = tempDir();
  const dashboard = startCli("dashboard", ["--listen", "127.0.0.1:0"], { cwd: dir.path });
  const said = await dashboard.until(/dashboard: http:\S+\n/);
  const [, address = ""] = /dashboard: (http:\S+)/.exec(said) ?? [];
  const open = await fetch(`${address}/api/v1/live`);
  const [store = ""] = Array.from(Deno.readDirSync(dir.path), ({ name }) => name);
  Deno.removeSync(join(dir.path, store), { recursive: true });
  assert.equal(await dashboard.exitCode, 7);
  assert.match(
    dashboard.said,
    /error: Cannot keep the dashboard's database .*kv\.sqlite3.*: it was removed while the dashboard ran\nnext: {2}/,
  );
  await open.text();
  await assert.rejects(fetch(address));
  assert.deepEqual(Array.from(Deno.readDirSync(dir.path)), [], "nothing is created again");
});
