import assert from "node:assert/strict";
import { ReferencesWorld } from "../helpers/references_world.ts";
import { runCli } from "../helpers/run_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";

Deno.test("references-sync holds back a large removal with exit code 1; --allow-shrink, --force and max_shrink allow it", async () => {
  await using world = new ReferencesWorld({ dir: tempDir() });
  using dir = tempDir();
  world.commit(world.images, { "clip.json": '{"a": {}, "b": {}, "c": {}}\n' });
  world.primary.records.set("clip", '{"a": {}}');
  const run = (...args: string[]) =>
    runCli("references-sync", ["--dry-run", "--categories", "clip", ...args], {
      cwd: dir.path,
      env: world.env,
    });
  const held = await run();
  assert.equal(held.code, 1, held.stderr);
  assert.match(held.stdout, /✗ clip: Failed to scan - Cannot propose the changes of clip: 2 of its 3 models/);
  assert.match(held.stdout, /^next: .*--allow-shrink/m);
  assert.equal(held.stderr, "", "the failure is printed once, in the report");
  assert.doesNotMatch(held.stdout, /would be made/);
  for (const flag of ["--allow-shrink", "--force"]) {
    const allowed = await run(flag);
    assert.equal(allowed.code, 0, allowed.stderr);
    assert.match(allowed.stdout, /a pull request with 2 changes would be made/);
  }
  Deno.mkdirSync(`${dir.path}/configs`);
  Deno.writeTextFileSync(`${dir.path}/configs/bot.yaml`, "model_sync: {references: {max_shrink: 0.7}}\n");
  const configured = await run();
  assert.equal(configured.code, 0, configured.stderr);
});
