import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSync } from "../../lib/config/schema.ts";
import { EXIT } from "../../lib/core/errors.ts";
import { PROJECT, runCli } from "../helpers/run_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const UNIT = Deno.readTextFileSync(join(PROJECT, "configs/systemd/model-sync.service"));

function setting(name: string): string {
  const [, value] = new RegExp(`^${name}=(.*)$`, "m").exec(UNIT) ?? [];
  assert.ok(value !== undefined, `${name} is not set`);
  return value;
}

Deno.test("the systemd unit starts a daemon with existing options and allows it stop_timeout_sec to stop", async () => {
  using dir = tempDir();
  const { stdout } = await runCli("daemon", ["--help"], { cwd: dir.path });
  for (const [option] of setting("ExecStart").matchAll(/--[\w-]+/g)) {
    assert.match(stdout, new RegExp(`\\[?${option}\\b`), option);
  }
  assert.equal(setting("Type"), "notify");
  assert.ok(Number(setting("TimeoutStopSec")) > ModelSync.parse({}).stop_timeout_sec);
  const codes: number[] = Object.values(EXIT);
  for (const code of setting("RestartPreventExitStatus").split(" ")) assert.ok(codes.includes(Number(code)));
});

const verifier = new Deno.Command("sh", { args: ["-c", "command -v systemd-analyze"] });

Deno.test({
  name: "systemd-analyze accepts the unit (skipped without systemd-analyze)",
  ignore: Deno.build.os !== "linux" || !verifier.outputSync().success,
  fn() {
    using dir = tempDir();
    const unit = join(dir.path, "model-sync.service");
    // The program of the unit is not on this machine.
    Deno.writeTextFileSync(unit, UNIT.replace("/usr/local/bin/model-sync", "/bin/true"));
    const { stderr } = new Deno.Command("systemd-analyze", { args: ["verify", "--man=no", unit] })
      .outputSync();
    // It also speaks of other units of the machine.
    const complaints = new TextDecoder().decode(stderr).split("\n").filter((line) =>
      line.includes("model-sync")
    );
    assert.deepEqual(complaints, []);
  },
});
