import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT } from "../helpers/run_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";

Deno.test("the entry point of platforms ends with exit code 7 when the file of its database is removed", async () => {
  using dir = tempDir();
  const file = join(dir.path, "kv.sqlite3");
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", "--config", `${PROJECT}deno.json`, `${PROJECT}web/main.ts`],
    cwd: dir.path,
    env: { DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0", MODEL_SYNC_DASHBOARD_KV: file, NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let log = "";
  let isRemoved = false;
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    log += text;
    const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(log) ?? [];
    if (address === undefined || isRemoved) continue;
    isRemoved = true;
    await (await fetch(`${address}/healthz`)).text();
    Deno.removeSync(file);
  }
  assert.equal((await child.status).code, 7);
  assert.match(log, /"level":"error","message":"Cannot keep the dashboard's database .*it was removed while/);
});
