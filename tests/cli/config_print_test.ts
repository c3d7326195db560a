import assert from "node:assert/strict";
import { runCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

Deno.test("config print shows the times and the denied windows of a schedule, and hides the values of a payload", async () => {
  using dir = tempDir();
  writeFiles(dir.path, {
    "configs/bot.yaml": `model_sync:
  client:
    schedule: ["06:00", "0 18 * * mon-fri"]
    deny: [{cron: "0 22 * * *", duration: 8h}]
  runpod: {trigger_payload: {input: hush}}
`,
  });
  const { code, stdout } = await runCli("config", ["print"], { cwd: dir.path });
  assert.equal(code, 0);
  assert.match(stdout, /^client\.schedule +\["06:00","0 18 \* \* mon-fri"\] +configs\/bot\.yaml:3:5$/m);
  assert.match(
    stdout,
    /^client\.deny +\[\{"cron":"0 22 \* \* \*","duration":"8h"\}\] +configs\/bot\.yaml:4:5$/m,
  );
  assert.ok(!stdout.includes("hush"));
});
